//! Collections as answers. Long ones are read and rendered in pieces, away from the async threads: the answer begins with
//! the first piece, and the others follow as fast as the client takes them. So a list of any length takes the memory of one
//! piece, and delays no other request. Only a directory is read as a whole, and once.

use std::vec;

use axum::body::Body;
use axum::http::{Method, StatusCode, header};
use axum::response::Response;
use futures_util::stream::try_unfold;
use keystone_identity::Identity;
use keystone_types::{Error, Listing, Page, Resource, Result, json, to_python_json};
use serde::Serialize;
use serde_json::{Map, Value};
use tracing::{Instrument, Span};

use super::{Context, linked};
use crate::error::{ApiError, json_response, log_cut_off};
use crate::listing::ListLimit;
use crate::query;

/// How many rows are read and rendered at a time. A list of no more is one body, with its length in the head.
pub(crate) const PIECE: usize = 2_000;

/// The text of an object that has one long list in it, with the spaces that Python's `json.dumps` writes.
#[derive(Debug, Default)]
pub(crate) struct JsonList {
    text: String,
    empty: bool,
}

#[derive(Serialize)]
struct Links {
    #[serde(rename = "self")]
    own: String,
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
        json::append(item, self.item());
    }

    /// Adds a resource with its own URL, which begins with `base`, in `links`.
    pub(crate) fn push_linked<R: Resource>(&mut self, resource: &R, base: &str) -> Result<()> {
        let text = self.item();
        let links = Links {
            own: format!("{base}{}/{}", R::PATH, resource.id()),
        };
        if !json::append_with(resource, "links", &links, text) {
            json::append(&linked(resource, base)?, text);
        }
        Ok(())
    }

    /// The text, to which the next item is to be added.
    pub(crate) fn item(&mut self) -> &mut String {
        if !self.empty {
            self.text.push_str(", ");
        }
        self.empty = false;
        &mut self.text
    }

    /// What has been added to the text since the last call.
    pub(crate) fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    /// Adds an item of any type.
    pub(crate) fn push_item<T: Serialize>(&mut self, item: &T) -> Result<()> {
        let text = self.item();
        if !json::append_serialized(item, text) {
            json::append(&serde_json::to_value(item).map_err(Error::internal)?, text);
        }
        Ok(())
    }

    /// Ends the list, and the object with its other members.
    pub(crate) fn close(&mut self, others: Map<String, Value>) {
        self.text.push(']');
        for (name, value) in others {
            let name = to_python_json(&name.into());
            self.text.extend([", ", &name, ": "]);
            json::append(&value, &mut self.text);
        }
        self.text.push_str("}\n");
    }

    /// The same, as an answer.
    pub(crate) fn end(mut self, others: Map<String, Value>) -> Response {
        self.close(others);
        json_response(StatusCode::OK, self.text)
    }
}

/// A long list, rendered piece by piece.
pub(crate) trait Pieces: Send + 'static {
    /// The text of the next piece, and whether it is the last.
    fn piece(&mut self) -> impl Future<Output = Result<(String, bool)>> + Send;
}

/// A long list as an answer: one body if the first piece is all of it, and its length if that is all that was asked for.
pub(crate) async fn in_pieces(
    method: &Method,
    mut list: impl Pieces,
) -> Result<Response, ApiError> {
    let (first, mut done) = list.piece().await?;
    if done {
        return Ok(json_response(StatusCode::OK, first));
    }
    if *method == Method::HEAD {
        let mut length = first.len();
        while !done {
            let piece = list.piece().await?;
            length += piece.0.len();
            done = piece.1;
        }
        let mut response = json_response(StatusCode::OK, String::new());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, length.into());
        return Ok(response);
    }
    let span = Span::current();
    let texts = try_unfold((Some(first), Some(list)), move |(first, rest)| {
        let step = async move {
            match (first, rest) {
                (Some(text), rest) => Ok(Some((text, (None, rest)))),
                (None, None) => Ok(None),
                (None, Some(mut list)) => {
                    let (text, done) = list.piece().await.inspect_err(log_cut_off)?;
                    Ok::<_, Error>(Some((text, (None, (!done).then_some(list)))))
                }
            }
        };
        step.instrument(span.clone())
    });
    let mut response = json_response(StatusCode::OK, String::new());
    *response.body_mut() = Body::from_stream(texts);
    Ok(response)
}

/// The members of a collection, by the function that reads a page of them.
struct Members<R, P> {
    identity: Identity,
    read: P,
    listing: Listing,
    text: JsonList,
    frame: Frame,
    /// What was read and not rendered yet, and whether there is more behind it.
    ready: vec::IntoIter<R>,
    more: bool,
}

impl<R, P, F> Members<R, P>
where
    P: Fn(Identity, Listing) -> F,
    F: Future<Output = Result<Page<R>>>,
{
    /// Reads a piece, or all of them where the source has all members at hand.
    async fn read_more(&mut self) -> Result<()> {
        let piece = u32::try_from(PIECE).unwrap_or(u32::MAX);
        let listing = Listing {
            limit: Some(self.listing.limit.map_or(piece, |limit| limit.min(piece))),
            in_pieces: true,
            ..self.listing.clone()
        };
        let Page { mut items, more } = (self.read)(self.identity.clone(), listing).await?;
        self.more = more;
        if let Some(limit) = self.listing.limit {
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            self.more |= items.len() > limit;
            items.truncate(limit);
        }
        let rows = u32::try_from(items.len()).unwrap_or(u32::MAX);
        self.listing.limit = self.listing.limit.map(|limit| limit.saturating_sub(rows));
        self.ready = items.into_iter();
        Ok(())
    }
}

impl<R, P, F> Pieces for Members<R, P>
where
    R: Resource + Send + 'static,
    P: Fn(Identity, Listing) -> F + Send + 'static,
    F: Future<Output = Result<Page<R>>> + Send + 'static,
{
    async fn piece(&mut self) -> Result<(String, bool)> {
        if self.ready.len() == 0 {
            self.read_more().await?;
        }
        let items: Vec<R> = self.ready.by_ref().take(PIECE).collect();
        let count = items.len();
        let done = self.ready.len() == 0 && (!self.more || self.listing.limit == Some(0));
        let last = items.last().map(|last| last.id().to_owned());
        let others = done.then(|| self.frame.others(last.as_deref(), self.more));
        if let Some(last) = last {
            self.listing = self.listing.clone().after(last);
        }
        let (mut text, base) = (std::mem::take(&mut self.text), self.frame.base.clone());
        let render = move || -> Result<JsonList> {
            for item in &items {
                text.push_linked(item, &base)?;
            }
            if let Some(others) = others {
                text.close(others);
            }
            Ok(text)
        };
        self.text = self.identity.bulk().run(count, render).await??;
        Ok((self.text.take(), done))
    }
}

/// What an answer has beside its list, and the URLs in it.
#[derive(Clone, Debug)]
struct Frame {
    /// What the URLs of members begin with.
    base: String,
    own_url: String,
    /// The URL without its query, and the query.
    asked: (String, Vec<(String, String)>),
    limit: Option<u32>,
    /// Whether the answer says that there is more even where there is nothing.
    always_more: bool,
}

impl Frame {
    /// `links`, and `truncated` where there is more after the last member.
    fn others(&self, last: Option<&str>, more: bool) -> Map<String, Value> {
        let more = more || self.always_more;
        let (url, asked) = &self.asked;
        let next = last
            .filter(|_| more)
            .map(|last| format!("{url}?{}", query::following(asked, last, self.limit)));
        let links = serde_json::json!({ "next": next, "self": self.own_url, "previous": null });
        let mut others = Map::from_iter([("links".to_owned(), links)]);
        if more {
            others.insert("truncated".to_owned(), true.into());
        }
        others
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

    fn frame(&self, limit: Option<u32>) -> Frame {
        Frame {
            base: self.url(""),
            own_url: self.self_url(),
            asked: (
                format!("{}{}", self.base.public, self.uri.path()),
                self.query.clone(),
            ),
            limit,
            always_more: false,
        }
    }

    /// `{"users": […], "links": {…}}`, and `truncated` where there is more.
    pub(crate) async fn collection<R: Resource + Send + 'static>(
        &self,
        page: Page<R>,
        listing: &Listing,
    ) -> Result<Response, ApiError> {
        let frame = self.frame(listing.limit);
        let last = page.items.last().map(Resource::id);
        let (count, others) = (page.items.len(), frame.others(last, page.more));
        let render = move || {
            let mut text = JsonList::begin(R::COLLECTION);
            for item in &page.items {
                text.push_linked(item, &frame.base)?;
            }
            Ok(text.end(others))
        };
        Ok(self.bulk(count, render).await?)
    }

    /// The same with more URLs in the `links` of each member.
    pub(crate) async fn collection_with_links<R: Resource + Send + 'static>(
        &self,
        page: Page<R>,
        listing: &Listing,
        add: impl Fn(&R, &str, &mut Value) + Send + 'static,
    ) -> Result<Response, ApiError> {
        let frame = self.frame(listing.limit);
        let last = page.items.last().map(Resource::id);
        let (count, others) = (page.items.len(), frame.others(last, page.more));
        let render = move || {
            let mut text = JsonList::begin(R::COLLECTION);
            for item in &page.items {
                let mut member = linked(item, &frame.base)?;
                add(item, &frame.base, &mut member["links"]);
                text.push(&member);
            }
            Ok(text.end(others))
        };
        Ok(self.bulk(count, render).await?)
    }

    /// The same for one that can be long: `read` reads a page of it.
    pub(crate) async fn long_collection<R, F>(
        &self,
        identity: &Identity,
        narrowed: Listing,
        read: impl Fn(Identity, Listing) -> F + Send + 'static,
    ) -> Result<Response, ApiError>
    where
        R: Resource + Send + 'static,
        F: Future<Output = Result<Page<R>>> + Send + 'static,
    {
        let frame = self.frame(narrowed.limit);
        self.members(identity, narrowed, read, frame).await
    }

    /// The same where `limit=0` got everything: Keystone takes that for a page of none, and says that there is more.
    pub(crate) async fn long_collection_or_all<R, F>(
        &self,
        identity: &Identity,
        narrowed: Listing,
        read: impl Fn(Identity, Listing) -> F + Send + 'static,
    ) -> Result<Response, ApiError>
    where
        R: Resource + Send + 'static,
        F: Future<Output = Result<Page<R>>> + Send + 'static,
    {
        let mut frame = self.frame(narrowed.limit);
        if self.limit_is_zero() {
            frame.always_more = true;
            frame.limit = Some(0);
        }
        self.members(identity, narrowed, read, frame).await
    }

    async fn members<R, P, F>(
        &self,
        identity: &Identity,
        listing: Listing,
        read: P,
        frame: Frame,
    ) -> Result<Response, ApiError>
    where
        R: Resource + Send + 'static,
        P: Fn(Identity, Listing) -> F + Send + 'static,
        F: Future<Output = Result<Page<R>>> + Send + 'static,
    {
        let members = Members {
            identity: identity.clone(),
            read,
            listing,
            text: JsonList::begin(R::COLLECTION),
            frame,
            ready: Vec::new().into_iter(),
            more: false,
        };
        in_pieces(&self.method, members).await
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
