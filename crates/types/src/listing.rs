//! How a collection is narrowed and paged.

/// The query of a collection: filters on named attributes, and the page.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// All must hold.
    pub filters: Vec<Filter>,
    /// The most members in the answer.
    pub limit: Option<u32>,
    /// The id after which the page starts.
    pub marker: Option<String>,
    /// Whether the marker is the last row of a page that was read before, and may be gone since.
    pub resumed: bool,
    /// Whether `limit` only says how many to read at a time: a source that has all members at hand need not cut them.
    pub in_pieces: bool,
}

/// A condition on one attribute.
#[derive(Clone, Debug)]
pub struct Filter {
    /// The attribute, as named on the wire.
    pub name: String,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what.
    pub value: String,
}

/// How a filter compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `name=x`
    Equals,
    /// `name__contains=x`, `name__icontains=x`
    Contains(Case),
    /// `name__startswith=x`, `name__istartswith=x`
    StartsWith(Case),
    /// `name__endswith=x`, `name__iendswith=x`
    EndsWith(Case),
}

/// Whether upper and lower case differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// They do.
    Sensitive,
    /// They do not.
    Insensitive,
}

impl Listing {
    /// A listing with one exact filter more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.filters.push(Filter {
            name: name.to_owned(),
            comparison: Comparison::Equals,
            value: value.into(),
        });
        self
    }

    /// The same listing within what has this value of an attribute, where there is one.
    #[must_use]
    pub fn within(&self, name: &str, value: Option<&str>) -> Self {
        let listing = self.clone();
        match value {
            Some(value) => listing.with(name, value),
            None => listing,
        }
    }

    /// The same listing after the last row of a page that was read.
    #[must_use]
    pub fn after(self, last: String) -> Self {
        Self {
            marker: Some(last),
            resumed: true,
            ..self
        }
    }

    /// The value of the exact filter on `name`.
    pub fn exact(&self, name: &str) -> Option<&str> {
        let filter = self
            .filters
            .iter()
            .find(|f| f.name == name && f.comparison == Comparison::Equals);
        filter.map(|f| f.value.as_str())
    }
}

/// A page of a collection.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The members.
    pub items: Vec<T>,
    /// Whether there are more after the last.
    pub more: bool,
}

impl<T> Page<T> {
    /// Nothing.
    pub fn empty() -> Self {
        Self {
            items: Vec::new(),
            more: false,
        }
    }

    /// Cuts rows that were read with one to spare.
    pub fn cut(mut items: Vec<T>, listing: &Listing) -> Self {
        let limit = listing.limit.map_or(usize::MAX, |limit| limit as usize);
        let more = items.len() > limit;
        items.truncate(limit);
        Self { items, more }
    }

    /// The same page of other things.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(f).collect(),
            more: self.more,
        }
    }
}

/// Reads a boolean filter as `attr_as_boolean` of `keystone/common/utils.py`: what does not say no is yes.
pub fn filter_is_true(value: &str) -> bool {
    keystone_python::bool_from_string(value) != Some(false)
}
