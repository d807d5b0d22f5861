//! `[healthcheck]`

use std::path::PathBuf;

use keystone::api::{Check, Health, Network};

use super::{Reader, text};

const GROUP: &str = "healthcheck";

impl Reader<'_> {
    pub(super) fn health(&mut self) -> Health {
        let config = self.config;
        let backends = config.list(GROUP, "backends");
        let has = |name: &str| backends.iter().any(|backend| backend == name);
        if has("disable_by_file") && has("enable_by_files") {
            let problem = "disable_by_file and enable_by_files can't be had at the same time";
            self.problem(GROUP, "backends", problem);
        }
        let checks = backends.iter().filter_map(|name| self.check(name));
        Health {
            checks: checks.collect(),
            detailed: config.bool(GROUP, "detailed"),
            allowed_source_ranges: self.ranges(),
            ignore_proxied_requests: config.bool(GROUP, "ignore_proxied_requests"),
        }
    }

    fn check(&mut self, backend: &str) -> Option<Check> {
        let config = self.config;
        let paths = |name| config.list(GROUP, name).iter();
        match backend {
            "disable_by_file" => {
                let path = text(config.optional_string(GROUP, "disable_by_file_path"));
                Some(Check::DisableByFile(path.map(PathBuf::from)))
            }
            "disable_by_files_ports" => {
                let paths = paths("disable_by_file_paths").filter(|pair| !pair.trim().is_empty());
                let pairs = paths.filter_map(|pair| self.port_and_path(pair));
                Some(Check::DisableByFilesPorts(pairs.collect()))
            }
            "enable_by_files" => {
                let paths = paths("enable_by_file_paths").map(PathBuf::from);
                Some(Check::EnableByFiles(paths.collect()))
            }
            _ => {
                let warning = format!("there is no backend {backend}; it is left out");
                self.warning(GROUP, "backends", warning);
                None
            }
        }
    }

    fn port_and_path(&mut self, pair: &str) -> Option<(u16, PathBuf)> {
        let parts = pair.trim().split_once(':');
        let read = parts.and_then(|(port, path)| Some((port.trim().parse().ok()?, path.into())));
        if read.is_none() {
            let problem = format!("{pair} is not a port and a path, as 5000:/run/disabled");
            self.problem(GROUP, "disable_by_file_paths", problem);
        }
        read
    }

    fn ranges(&mut self) -> Vec<Network> {
        let ranges = self.config.list(GROUP, "allowed_source_ranges").iter();
        let read = ranges.filter_map(|range| {
            let network = Network::parse(range);
            if network.is_none() {
                let problem = format!("{range} is not a range of addresses, as 10.0.0.0/8");
                self.problem(GROUP, "allowed_source_ranges", problem);
            }
            network
        });
        read.collect()
    }
}
