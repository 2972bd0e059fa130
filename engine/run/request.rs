//! A step's templates × a scope → the request, without credentials. Pure.

use std::sync::Arc;

use ::http::header::ACCEPT_ENCODING;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use url::Url;

use crate::{
    model::{
        action::{Accept, Body, Step},
        blueprint::Blueprint,
        http::{
            self, ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, Method, Request,
            is_idempotent,
        },
        pagination::{Change, Pagination, Target},
        template::Shape,
    },
    policy::query,
    template::{self, Fault, Scope},
    value,
};

/// What is the same for all requests of a run: rendered once.
pub struct Base {
    /// Without a trailing slash.
    pub url: Url,
    text: String,
    headers: HeaderMap,
    params: String,
}

impl Base {
    /// Renders the blueprint's headers and parameters that need no credentials.
    pub fn new(blueprint: &Blueprint, url: Url, scope: &Scope<'_>) -> Result<Self, Fault> {
        let requests = &blueprint.requests;
        let mut headers = HeaderMap::new();
        for (name, template) in requests.headers.iter().filter(|(_, t)| !t.is_secret()) {
            if let Some(value) = template::header(template, scope)? {
                headers.insert(name, value);
            }
        }
        let plain: Vec<_> =
            requests.params.iter().filter(|(_, s)| !s.is_secret()).cloned().collect();
        let params = template::query(&plain, requests.arrays, scope)?;
        let text = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { url, text, headers, params })
    }

    /// The URL of an encoded path.
    fn join(&self, path: &str) -> Result<Url, Fault> {
        Url::parse(&format!("{}{path}", self.text))
            .map_err(|error| fault(format!("the URL is not valid: {error}")))
    }

    /// The encoded path of a URL relative to the base URL's, for limits.
    pub fn relative<'a>(&self, url: &'a Url) -> &'a str {
        let base = self.url.path().trim_end_matches('/');
        url.path().strip_prefix(base).unwrap_or(url.path())
    }
}

/// A request that is written out: no template is in it.
pub struct ApiRequest {
    /// The method.
    pub method: Method,
    /// Encoded, relative to the base URL, with a leading slash.
    pub path: String,
    /// A query that is sent as it is written.
    pub raw_query: String,
    /// Further parameters, to be encoded.
    pub query: Vec<(String, String)>,
    /// The fields; those of the blueprint are added, unless they stand here.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: http::Body,
    /// Reads all pages.
    pub paginate: Option<Arc<Pagination>>,
    /// May be repeated although its method does not say so.
    pub idempotent: Option<bool>,
}

impl ApiRequest {
    /// Whether its answer is handed on as it is coded: who asks for a coding gets it.
    pub fn is_coded(&self) -> bool {
        self.headers.iter().any(|(name, _)| name == ACCEPT_ENCODING)
    }
}

/// A request, and what limits may ask about it.
pub struct Rendered {
    /// What is sent, credentials to come.
    pub request: Arc<Request>,
    /// Whether the API knows it again by a key, which it has whenever this work is repeated.
    pub keyed: bool,
    json: Option<Value>,
    form: Option<Value>,
}

impl Rendered {
    /// The same with another request in its place; its body is `self`'s, or there is none.
    pub fn moved(&self, request: Request) -> Self {
        let kept = |value: &Option<Value>| {
            value.clone().filter(|_| !matches!(request.body, http::Body::Empty))
        };
        let (json, form) = (kept(&self.json), kept(&self.form));
        Self { request: Arc::new(request), keyed: self.keyed, json, form }
    }

    /// The root `request` of limits.
    pub fn root(&self, base: &Base) -> Value {
        let query: Map<String, Value> = self
            .request
            .url
            .query_pairs()
            .map(|(name, value)| (name.into_owned(), value.into_owned().into()))
            .collect();
        let mut root = json!({
            "method": self.request.method.as_str(),
            "path": base.relative(&self.request.url),
            "query": query,
        });
        if let (Some(json), Some(map)) = (&self.json, root.as_object_mut()) {
            map.insert("json".to_owned(), json.clone());
        }
        if let (Some(form), Some(map)) = (&self.form, root.as_object_mut()) {
            map.insert("form".to_owned(), form.clone());
        }
        root
    }
}

/// Makes requests of templates.
#[derive(Clone, Copy)]
pub struct Renderer<'a> {
    /// What is the same for all of a run.
    pub base: &'a Base,
    /// The API's rules of behaviour.
    pub blueprint: &'a Blueprint,
    /// What templates see.
    pub scope: &'a Scope<'a>,
}

impl Renderer<'_> {
    /// The request of a step. `changes` come from pagination and stand over what the step says;
    /// `key` makes the idempotency key, if the API takes one for this method.
    pub fn step(
        &self,
        step: &Step,
        changes: &[Change],
        key: impl FnOnce() -> String,
    ) -> Result<Rendered, Fault> {
        let Self { base, blueprint, scope } = *self;
        let mut url = self.url(step, changes)?;
        let mut headers = base.headers.clone();
        for (name, template) in &step.headers {
            if let Some(value) = template::header(template, scope)? {
                headers.insert(name, value);
            }
        }
        let mut rendered = self.body(step, changes)?;
        if let Some(kind) = rendered.content_type {
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(kind));
        }
        if step.accept == Accept::Json {
            headers.entry(ACCEPT).or_insert(HeaderValue::from_static("application/json"));
        }
        for change in changes {
            match change {
                Change::Set(Target::Header(name), value) => {
                    headers.insert(name, plain(value)?);
                }
                Change::Url(next) => url.clone_from(next),
                Change::Set(Target::Query(_) | Target::Json(_) | Target::Form(_), _) => {}
            }
        }
        let given = step.headers.iter().any(|(name, template)| {
            Some(name) == blueprint.idempotency_header.as_ref() && template::is_constant(template)
        });
        let keyed = self.put_key(&step.method, &mut headers, key)? || given;
        let request = Request {
            method: step.method.clone(),
            url,
            headers,
            body: rendered.bytes.take().into(),
            coded: false,
            timeout: step.timeout.or(blueprint.timeout),
            silence: step.timeout.or(blueprint.timeout),
            max_response: blueprint.requests.max_response,
            route: blueprint.requests.route.clone(),
        };
        let RenderedBody { json, form, .. } = rendered;
        Ok(Rendered { request: Arc::new(request), keyed, json, form })
    }

    /// A request that is written out already.
    pub fn direct(
        &self,
        request: &ApiRequest,
        key: impl FnOnce() -> String,
    ) -> Result<Rendered, Fault> {
        let Self { base, blueprint, scope } = *self;
        for (name, _) in &request.headers {
            free(name, blueprint)?;
        }
        let mut url = base.join(&request.path)?;
        let literal =
            |(name, value): &(String, String)| (name.clone(), Shape::Literal(value.clone().into()));
        let query: Vec<_> = request.query.iter().map(literal).collect();
        query::append(&mut url, &request.raw_query);
        query::append(&mut url, &template::query(&query, blueprint.requests.arrays, scope)?);
        let nearer = url.query().unwrap_or_default();
        let params = query::without(&base.params, nearer);
        query::append(&mut url, &params);
        let mut headers = base.headers.clone();
        for (name, _) in &request.headers {
            headers.remove(name);
        }
        headers.extend(request.headers.iter().cloned());
        let given = request
            .headers
            .iter()
            .any(|(name, _)| Some(name) == blueprint.idempotency_header.as_ref());
        let keyed = self.put_key(&request.method, &mut headers, key)? || given;
        let streams = matches!(request.body, http::Body::Stream(_));
        let request = Request {
            method: request.method.clone(),
            url,
            coded: request.is_coded(),
            headers,
            body: request.body.clone(),
            // A long upload takes its time; silence ends it.
            timeout: blueprint.timeout.filter(|_| !streams),
            silence: blueprint.timeout,
            max_response: blueprint.requests.max_response,
            route: blueprint.requests.route.clone(),
        };
        Ok(Rendered { request: Arc::new(request), keyed, json: None, form: None })
    }

    /// The key by which the API knows the request again, unless one is there or none is needed.
    /// Whether it was put there.
    fn put_key(
        &self,
        method: &Method,
        headers: &mut HeaderMap,
        key: impl FnOnce() -> String,
    ) -> Result<bool, Fault> {
        let Some(name) = &self.blueprint.idempotency_header else { return Ok(false) };
        // What the step or the caller gives is theirs.
        if is_idempotent(method) || headers.contains_key(name) {
            return Ok(false);
        }
        headers.insert(name, key().try_into()?);
        Ok(true)
    }

    /// Base URL, path and query. A `Change::Url` replaces it later.
    fn url(&self, step: &Step, changes: &[Change]) -> Result<Url, Fault> {
        let Self { base, blueprint, scope } = *self;
        let arrays = blueprint.requests.arrays;
        let mut url = base.join(&template::path(&step.path, scope)?)?;
        let set: Vec<(String, Shape)> = changes
            .iter()
            .filter_map(|change| match change {
                Change::Set(Target::Query(name), value) => {
                    Some((name.clone(), Shape::Literal(value.clone())))
                }
                Change::Set(..) | Change::Url(_) => None,
            })
            .collect();
        // The nearest wins: pages over the step, the step over the blueprint; null takes one away.
        let set = template::query(&set, arrays, scope)?;
        let absent = || step.query.iter().filter(|(_, shape)| is_null(shape)).map(|(n, _)| &**n);
        let own = if absent().next().is_none() {
            template::query(&step.query, arrays, scope)?
        } else {
            let own = step.query.iter().filter(|(_, shape)| !is_null(shape));
            template::query(&own.cloned().collect::<Vec<_>>(), arrays, scope)?
        };
        // A query as written has names, too.
        let typed = url.query().map(str::to_owned);
        let own = query::without(&own, &set);
        match typed {
            Some(_) => query::replace(&mut url, &own),
            None => query::append(&mut url, &own),
        }
        if !base.params.is_empty() {
            let typed = typed.as_deref().unwrap_or_default();
            let nearer: Vec<&str> = [&*set, &own, typed].into_iter().chain(absent()).collect();
            query::append(&mut url, &query::without(&base.params, &nearer.join("&")));
        }
        if typed.is_some() {
            query::replace(&mut url, &set);
        } else {
            query::append(&mut url, &set);
        }
        Ok(url)
    }

    fn body(&self, step: &Step, changes: &[Change]) -> Result<RenderedBody, Fault> {
        let Self { blueprint, scope, .. } = *self;
        let mut rendered = RenderedBody::default();
        match &step.body {
            Body::Empty => {}
            Body::Json(shape) => rendered.json = template::evaluate(shape, scope)?,
            Body::Form(shape) => rendered.form = template::evaluate(shape, scope)?,
            Body::Text(template) => {
                rendered.bytes = template::text(template, scope)?.map(Bytes::from);
                rendered.content_type = Some("text/plain; charset=utf-8");
            }
            Body::Bytes(template) => {
                let text = template::text(template, scope)?.unwrap_or_default();
                let engine = base64::engine::general_purpose::STANDARD;
                let bytes = base64::Engine::decode(&engine, text.trim())
                    .map_err(|_| fault("`bytes` is not base64".to_owned()))?;
                rendered.bytes = Some(bytes.into());
                rendered.content_type = Some("application/octet-stream");
            }
        }
        for change in changes {
            match change {
                Change::Set(Target::Json(path), value) => {
                    value::path::put(rendered.json.get_or_insert_with(empty), path, value.clone());
                }
                Change::Set(Target::Form(name), value) => {
                    value::path::put(
                        rendered.form.get_or_insert_with(empty),
                        std::slice::from_ref(name),
                        value.clone(),
                    );
                }
                Change::Set(Target::Query(_) | Target::Header(_), _) | Change::Url(_) => {}
            }
        }
        if let Some(json) = &rendered.json {
            rendered.bytes = Some(Bytes::from(json.to_string()));
            rendered.content_type = Some("application/json");
        }
        if let Some(form) = &rendered.form {
            rendered.bytes = Some(Bytes::from(template::form(form, blueprint.requests.arrays)?));
            rendered.content_type = Some("application/x-www-form-urlencoded");
        }
        Ok(rendered)
    }
}

#[derive(Default)]
struct RenderedBody {
    bytes: Option<Bytes>,
    content_type: Option<&'static str>,
    json: Option<Value>,
    form: Option<Value>,
}

fn is_null(shape: &Shape) -> bool {
    matches!(shape, Shape::Literal(Value::Null))
}

/// Refuses a field that is not the caller's to set.
fn free(name: &HeaderName, blueprint: &Blueprint) -> Result<(), Fault> {
    let message = if http::is_framing(name) {
        format!("the header `{name}` cannot be set: it follows from the request")
    } else if blueprint.signs_in_header(name) {
        format!("the header `{name}` cannot be set: it holds the credentials")
    } else {
        return Ok(());
    };
    Err(Fault { message, from_input: true })
}

fn empty() -> Value {
    Value::Object(Map::new())
}

/// A page token as the value of a header.
fn plain(value: &Value) -> Result<HeaderValue, Fault> {
    let text = match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    text.and_then(|text| text.try_into().ok())
        .ok_or_else(|| fault("the page token cannot stand in a header".to_owned()))
}

fn fault(message: String) -> Fault {
    Fault { message, from_input: false }
}
