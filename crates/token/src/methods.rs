//! The bitmap of authentication methods.

/// `[auth] methods` in the configured order: bit *i* stands for the *i*-th, up to the 64th.
#[derive(Clone, Debug)]
pub(crate) struct Methods(Vec<String>);

impl Methods {
    pub(crate) fn new(mut names: Vec<String>) -> Self {
        names.truncate(64);
        Self(names)
    }

    /// The bits of the given methods; one that is not configured has none.
    pub(crate) fn bits(&self, names: &[String]) -> u64 {
        let known = self
            .0
            .iter()
            .enumerate()
            .filter(|(_, known)| names.contains(known));
        known.fold(0, |bits, (place, _)| bits | 1 << place)
    }

    /// The methods of a bitmap, the highest bit first.
    ///
    /// A bit above all configured ones makes the list empty, as in `keystone/auth/plugins/core.py`:
    /// such a token counts as made by no known method, and so as delegated.
    pub(crate) fn names(&self, mut bits: u64) -> Vec<String> {
        let mut names = Vec::new();
        for (place, name) in self.0.iter().enumerate().rev() {
            if bits >> place == 1 {
                names.push(name.clone());
                bits -= 1 << place;
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::Methods;

    fn strings(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn bits_follow_the_configured_order() {
        let methods = Methods::new(strings(&["password", "token", "totp"]));
        assert_eq!(
            methods.bits(&strings(&["totp", "password", "totp", "unheard-of"])),
            5
        );
        assert_eq!(methods.names(5), ["totp", "password"]);
        assert_eq!(methods.names(7), ["totp", "token", "password"]);
        assert!(methods.names(0).is_empty());
        assert!(methods.names(8 + 1).is_empty());
    }

    #[test]
    fn methods_past_the_64th_have_no_bit() {
        let names: Vec<_> = (0..70).map(|i| format!("m{i}")).collect();
        let methods = Methods::new(names.clone());
        assert_eq!(methods.bits(&names), u64::MAX);
        assert_eq!(methods.names(1 << 63), ["m63"]);
    }
}
