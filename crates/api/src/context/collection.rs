//! Collections as answers. Long ones are rendered away from the async threads, row by row, so that no row is held
//! twice.

use axum::http::StatusCode;
use axum::response::Response;
use keystone_types::{Listing, Page, Resource, Result, json, to_python_json};
use serde_json::{Map, Value};

use super::{Context, linked};
use crate::error::{ApiError, json_response};
use crate::listing::ListLimit;

/// The text of an object that has one long list in it, with the spaces that Python's `json.dumps` writes.
#[derive(Debug)]
pub(crate) struct JsonList {
    text: String,
    empty: bool,
}

impl JsonList {
    /// `{"users": [`
    pub(crate) fn begin(name: &str) -> Self {
        let name = to_python_json(&name.into());
        Self {
            text: format!("{{{name}: ["),
            empty: true,
        }
    }

    pub(crate) fn push(&mut self, item: &Value) {
        if !self.empty {
            self.text.push_str(", ");
        }
        self.empty = false;
        json::append(item, &mut self.text);
    }

    /// Ends the list, and the object with its other members.
    pub(crate) fn end(mut self, others: Map<String, Value>) -> Response {
        self.text.push(']');
        for (name, value) in others {
            let name = to_python_json(&name.into());
            self.text.extend([", ", &name, ": "]);
            json::append(&value, &mut self.text);
        }
        self.text.push_str("}\n");
        json_response(StatusCode::OK, self.text)
    }
}

impl Context {
    /// Does work on so many rows, away from the async threads where they are many.
    pub(crate) async fn bulk<T: Send + 'static>(
        &self,
        rows: usize,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.app.identity.bulk().run(rows, work).await?
    }

    /// `{"users": […], "links": {…}}`, and `truncated` where there is more.
    pub(crate) async fn collection<R: Resource + Send + 'static>(
        &self,
        page: Page<R>,
        listing: &Listing,
    ) -> Result<Response, ApiError> {
        let next = page
            .items
            .last()
            .filter(|_| page.more)
            .map(|last| self.next_url(last.id(), listing));
        let links = serde_json::json!({ "next": next, "self": self.self_url(), "previous": null });
        let mut others = Map::from_iter([("links".to_owned(), links)]);
        if page.more {
            others.insert("truncated".to_owned(), true.into());
        }
        let (count, base) = (page.items.len(), self.url(""));
        let render = move || {
            let mut text = JsonList::begin(R::COLLECTION);
            for item in page.items {
                text.push(&linked(&item, &base)?);
            }
            Ok(text.end(others))
        };
        Ok(self.bulk(count, render).await?)
    }

    /// The same where `limit=0` got everything: Keystone takes that for a page of none, and says that there is more.
    pub(crate) async fn collection_or_all<R: Resource + Send + 'static>(
        &self,
        mut page: Page<R>,
        mut listing: Listing,
    ) -> Result<Response, ApiError> {
        if self.limit_is_zero() {
            page.more = true;
            listing.limit = Some(0);
        }
        self.collection(page, &listing).await
    }

    /// A collection that is always whole.
    pub(crate) async fn all<R: Resource + Send + 'static>(
        &self,
        items: Vec<R>,
    ) -> Result<Response, ApiError> {
        self.collection(Page { items, more: false }, &Listing::default())
            .await
    }

    /// A page of items that were all loaded.
    pub(crate) async fn paginate<R: Resource + Send + 'static>(
        &self,
        mut items: Vec<R>,
    ) -> Result<Response, ApiError> {
        let listing = self.listing(ListLimit::Client, &[])?;
        items.sort_by(|one, other| one.id().cmp(other.id()));
        if let Some(marker) = &listing.marker {
            items.retain(|item| item.id() > marker.as_str());
        }
        self.collection(Page::cut(items, &listing), &listing).await
    }
}
