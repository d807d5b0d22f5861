//! What is counted of requests, and the text in which Prometheus reads it: `OpenMetrics` 1.0.
//!
//! A request adds to three atomics, at a place that its path and its method lead to. The crate `prometheus-client` would
//! look each up in a map under a lock, by labels that are copied for it, and has nothing to write numbers that are kept
//! elsewhere, which most of ours are.

use std::fmt::{self, Display, Write as _};
use std::str::Split;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use axum::http::{Method, StatusCode};

use crate::v3;

/// The methods by name, and whatever else a client sends.
const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other",
];

/// The statuses that this server has, and `0` for any other.
const STATUSES: [u16; 24] = [
    200, 201, 202, 204, 300, 301, 302, 303, 304, 308, 400, 401, 403, 404, 405, 408, 409, 410, 413,
    415, 500, 501, 503, 0,
];

/// The upper bounds of the buckets of durations, in microseconds and as they are written, in seconds.
const BOUNDS: [(u64, &str); 14] = [
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1.0"),
    (2_500_000, "2.5"),
    (5_000_000, "5.0"),
    (10_000_000, "10.0"),
];

/// The label of paths that no route has.
const UNMATCHED: &str = "unmatched";

/// The requests answered so far, by route, method and status, and how long they took.
#[derive(Debug)]
pub struct Requests {
    tree: Node,
    /// The first is that of paths without a route.
    routes: Vec<Of>,
}

/// The requests for one route, by method.
#[derive(Debug)]
struct Of {
    route: &'static str,
    methods: [OnceLock<Box<Series>>; METHODS.len()],
}

#[derive(Debug, Default)]
struct Series {
    statuses: [AtomicU64; STATUSES.len()],
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

/// The routes below a path: those whose next part is known, in its order, and those where it is a parameter.
#[derive(Debug, Default)]
struct Node {
    named: Vec<(&'static str, Node)>,
    any: Option<Box<Node>>,
    route: Option<usize>,
}

impl Node {
    fn add(&mut self, mut parts: Split<'static, char>, route: usize) {
        match parts.next() {
            None => self.route = Some(route),
            Some(part) if part.starts_with('{') => {
                self.any.get_or_insert_default().add(parts, route);
            }
            Some(part) => {
                let at = self.place(part).unwrap_or_else(|at| {
                    self.named.insert(at, (part, Self::default()));
                    at
                });
                self.named[at].1.add(parts, route);
            }
        }
    }

    /// Where a part is, or belongs.
    fn place(&self, part: &str) -> Result<usize, usize> {
        self.named.binary_search_by(|(name, _)| (*name).cmp(part))
    }

    fn find(&self, mut parts: Split<'_, char>) -> Option<usize> {
        let Some(part) = parts.next() else {
            return self.route;
        };
        let named = self.place(part).ok();
        let found = named.and_then(|at| self.named[at].1.find(parts.clone()));
        found.or_else(|| self.any.as_ref()?.find(parts))
    }
}

impl Requests {
    pub(crate) fn new() -> Self {
        let table = v3::routes().merge(v3::own_routes()).table;
        let own = ["/", "/v3", "/healthcheck"].into_iter();
        let routes = own.chain(table.iter().map(|route| route.path));
        let mut all = Self {
            tree: Node::default(),
            routes: vec![Of::route(UNMATCHED)],
        };
        for route in routes {
            all.tree.add(route.split('/'), all.routes.len());
            all.routes.push(Of::route(route));
        }
        all
    }

    /// Counts an answer to a request for a path as it was routed.
    pub(crate) fn count(&self, method: &Method, path: &str, status: StatusCode, took: Duration) {
        let route = self.tree.find(path.split('/')).unwrap_or_default();
        let method = METHODS.iter().position(|it| *it == method.as_str());
        let method = method.unwrap_or(METHODS.len() - 1);
        let series = self.routes[route].methods[method].get_or_init(Box::default);
        let status = STATUSES.iter().position(|it| *it == status.as_u16());
        series.statuses[status.unwrap_or(STATUSES.len() - 1)].fetch_add(1, Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|(bound, _)| *bound < micros);
        series.buckets[bucket].fetch_add(1, Relaxed);
        series.micros.fetch_add(micros, Relaxed);
    }

    /// Writes what was counted.
    pub fn write(&self, to: &mut Exposition) {
        let all = || {
            self.routes.iter().flat_map(|of| {
                let series = METHODS.iter().zip(&of.methods);
                series.filter_map(|(method, it)| Some((of.route, *method, it.get()?)))
            })
        };
        let name = "keystone_http_requests";
        to.family(name, "counter", "Requests answered.");
        for (route, method, series) in all() {
            for (status, count) in STATUSES.iter().zip(&series.statuses) {
                let count = count.load(Relaxed);
                if count > 0 {
                    let labels = [("route", route), ("method", method)];
                    let status = match status {
                        0 => "other".to_owned(),
                        known => known.to_string(),
                    };
                    let labels = [labels[0], labels[1], ("status", status.as_str())];
                    to.sample("keystone_http_requests_total", &labels, count);
                }
            }
        }
        let name = "keystone_http_request_duration_seconds";
        let help = "Time to the beginning of an answer; long lists are sent while they are read.";
        to.family(name, "histogram", help);
        for (route, method, series) in all() {
            let labels = [("route", route), ("method", method)];
            series.write(to, name, labels);
        }
    }
}

impl Of {
    fn route(route: &'static str) -> Self {
        Self {
            route,
            methods: Default::default(),
        }
    }
}

impl Series {
    fn write(&self, to: &mut Exposition, name: &str, labels: [(&str, &str); 2]) {
        let [route, method] = labels;
        let bounds = BOUNDS.iter().map(|(_, bound)| *bound).chain(["+Inf"]);
        let mut sum = 0;
        for (bound, count) in bounds.zip(&self.buckets) {
            sum += count.load(Relaxed);
            let labels = [route, method, ("le", bound)];
            to.sample(&format!("{name}_bucket"), &labels, sum);
        }
        to.sample(&format!("{name}_count"), &labels, sum);
        let seconds = Duration::from_micros(self.micros.load(Relaxed)).as_secs_f64();
        to.sample(&format!("{name}_sum"), &labels, seconds);
    }
}

/// A text in the format `OpenMetrics`, as it is written.
///
/// Each family is begun with [`Exposition::family`], and then come its samples:
///
/// ```
/// # use keystone_api::Exposition;
/// let mut text = Exposition::default();
/// text.counter("keystone_notifications_dropped", "Notifications that were dropped.", 3);
/// text.family("keystone_queue_length", "gauge", "Notifications that wait.");
/// text.sample("keystone_queue_length", &[("driver", "log")], 1);
/// assert!(text.finish().ends_with("keystone_queue_length{driver=\"log\"} 1\n# EOF\n"));
/// ```
#[derive(Debug, Default)]
pub struct Exposition(String);

impl Exposition {
    /// The media type of the text.
    pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// Begins a family; `kind` is one of the format, such as `counter` or `gauge`.
    pub fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
        if name.ends_with("_seconds") {
            self.line(format_args!("# UNIT {name} seconds"));
        } else if name.ends_with("_bytes") {
            self.line(format_args!("# UNIT {name} bytes"));
        }
    }

    /// A sample of the family begun last, whose name has the suffix of its kind.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let text = Escaped(text);
            let before = if at == 0 { '{' } else { ',' };
            write!(self.0, "{before}{label}=\"{text}\"").expect(TAKES);
        }
        let after = if labels.is_empty() { "" } else { "}" };
        self.line(format_args!("{after} {value}"));
    }

    /// A family of one counter.
    pub fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "counter", help);
        self.sample(&format!("{name}_total"), &[], value);
    }

    /// A family of one gauge.
    pub fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "gauge", help);
        self.sample(name, &[], value);
    }

    /// The whole text.
    pub fn finish(mut self) -> String {
        self.line(format_args!("# EOF"));
        self.0
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect(TAKES);
    }
}

const TAKES: &str = "a String takes what is written";

/// The text of a label, in which three characters are escaped.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '\\' | '"' => write!(f, "\\{letter}")?,
                '\n' => f.write_str("\\n")?,
                _ => f.write_char(letter)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_found_by_a_path_of_its_own() {
        let requests = Requests::new();
        let found = |path: &str| {
            let at = requests.tree.find(path.split('/')).unwrap_or_default();
            requests.routes[at].route
        };
        for of in &requests.routes[1..] {
            let parts = of.route.split('/');
            let parts = parts.map(|part| if part.starts_with('{') { "x" } else { part });
            assert_eq!(found(&parts.collect::<Vec<_>>().join("/")), of.route);
        }
        assert_eq!(found("/v3/users/x/y/z"), UNMATCHED);
        assert_eq!(found("/v4"), UNMATCHED);
    }
}
