//! A request that no action asks for: its answer is handed on as it comes, byte for byte.

use std::{future, io, pin::Pin};

use bytes::Bytes;
use serde_json::Value;

use crate::{
    model::{
        action::{Accept, Body, Step, StepPagination},
        failure::{Code, Failure},
        http::{self, CONTENT_TYPE, HeaderMap, text},
        pagination::Pagination,
        template::{Shape, Template},
    },
    policy::plan::{self, StepPlan},
    run::{
        arrival::{Reading, Refusal, Refused},
        attempt,
        context::{Context, Execution},
        exchange::{self, Ask},
        pages,
        request::ApiRequest,
        writes::Turn,
    },
};

/// The name of its step.
pub const NAME: &str = "request";
/// Its place, unless it reads pages.
pub const FIRST: Turn = Turn { item: None, page: 1 };

/// Where an accepted answer goes.
pub trait Sink: Send {
    /// Its head.
    fn head(&mut self, status: u16, headers: &HeaderMap);
    /// A piece of its body. The error ends the reading.
    fn data(&mut self, data: Bytes) -> io::Result<()>;
    /// Resolves when it takes the next piece: who does not ask for one is not flooded.
    fn ready(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(future::ready(()))
    }
    /// All of it was handed over.
    fn end(&mut self) {}
    /// Whether it takes an answer that was refused, too, once it is not tried again.
    fn takes_refusals(&self) -> bool {
        false
    }
}

/// Sends it. The value is the list of all items, if it reads pages; else the sink has it all.
pub async fn run(
    cx: &Context<'_>,
    request: &ApiRequest,
    sink: &mut dyn Sink,
) -> Result<Value, Failure> {
    match &request.paginate {
        None => single(cx, request, sink).await,
        Some(pagination) => paged(cx, request, pagination, sink).await,
    }
}

async fn single(
    cx: &Context<'_>,
    request: &ApiRequest,
    sink: &mut dyn Sink,
) -> Result<Value, Failure> {
    let scope = cx.roots.before_steps(cx.now());
    let turn = FIRST;
    let key = || cx.invocation.idempotency(NAME, turn);
    let refusal = Refusal::default();
    let ask = Ask {
        name: NAME,
        method: &request.method,
        render: &|renderer| renderer.direct(request, key),
        turn,
        rules: &[],
        idempotent: request.idempotent,
        reading: Reading::Through {
            looks: plan::rules_look(cx.blueprint()),
            coded: request.is_coded(),
            refused: sink.takes_refusals().then_some(&refusal),
        },
        scope: &scope,
    };
    let settled = match attempt::settle(cx, &ask).await {
        Ok(settled) => settled,
        Err(failure) => {
            if let Some(refused) = refusal.take() {
                hand_on(refused, sink).await;
            }
            return Err(failure);
        }
    };
    sink.head(settled.status, &settled.headers);
    let Some(mut arriving) = settled.arriving else { return Ok(ended(sink).await) };
    loop {
        match arriving.chunk().await {
            Ok(Some(data)) => {
                sink.ready().await;
                sink.data(data).map_err(|error| unwritten(&error))?;
            }
            Ok(None) => return Ok(ended(sink).await),
            Err(error) => return Err(exchange::broken_off(&error, &ask)),
        }
    }
}

async fn ended(sink: &mut dyn Sink) -> Value {
    sink.ready().await;
    sink.end();
    Value::Null
}

/// An answer that was refused, for a sink that takes these, too. What breaks off is left at that:
/// the run has failed in any case.
async fn hand_on(refused: Refused, sink: &mut dyn Sink) {
    let Refused { status, headers, read, mut rest } = refused;
    sink.head(status, &headers);
    let mut next = Some(read).filter(|read| !read.is_empty());
    loop {
        if let Some(data) = next.take() {
            sink.ready().await;
            if sink.data(data).is_err() {
                return;
            }
        }
        next = match &mut rest {
            None => None,
            Some(rest) => match rest.chunk().await {
                Ok(chunk) => chunk,
                Err(_) => return,
            },
        };
        if next.is_none() {
            ended(sink).await;
            return;
        }
    }
}

fn unwritten(error: &io::Error) -> Failure {
    Failure::new(Code::Internal, format!("the answer cannot be written: {error}"))
}

async fn paged(
    cx: &Context<'_>,
    request: &ApiRequest,
    pagination: &Pagination,
    sink: &mut dyn Sink,
) -> Result<Value, Failure> {
    let step = step(request, pagination)?;
    let plan = StepPlan::everything();
    let scope = cx.roots.before_steps(cx.now());
    let here = Execution { cx, step: &step, plan: &plan, scope, item: None };
    let (status, headers, items) = pages::run(&here).await?.into_pages();
    sink.head(status, &headers);
    Ok(items)
}

/// Pages are turned by a step: what changes from one to the next goes where a step's values go.
fn step(request: &ApiRequest, pagination: &Pagination) -> Result<Step, Failure> {
    let literal =
        |(name, value): &(String, String)| (name.clone(), Shape::Literal(value.clone().into()));
    let fields = request.headers.iter();
    let raw = url::form_urlencoded::parse(request.raw_query.as_bytes()).into_owned();
    let query: Vec<(String, String)> = raw.chain(request.query.iter().cloned()).collect();
    Ok(Step {
        id: NAME.to_owned(),
        condition: None,
        each: None,
        method: request.method.clone(),
        path: Template::text(&request.path),
        query: query.iter().map(literal).collect(),
        headers: fields.map(|(n, value)| (n.clone(), Template::text(&text(value)))).collect(),
        body: body(request)?,
        accept: Accept::Json,
        paginate: Some(StepPagination { pagination: pagination.clone(), one: false, from: None }),
        idempotent: request.idempotent,
        timeout: None,
        rules: Vec::new(),
        output: None,
    })
}

fn body(request: &ApiRequest) -> Result<Body, Failure> {
    let bytes = match &request.body {
        http::Body::Empty => return Ok(Body::Empty),
        http::Body::Bytes(bytes) => bytes.as_ref(),
        http::Body::Stream(_) => &b"\xff"[..],
    };
    let kind = request.headers.iter().find(|(name, _)| name == CONTENT_TYPE);
    let json = kind.is_some_and(|(_, kind)| text(kind).starts_with("application/json"));
    if let (true, Ok(value)) = (json, serde_json::from_slice(bytes)) {
        return Ok(Body::Json(Shape::Literal(value)));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Body::Text(Template::text(text))),
        Err(_) => {
            let message = "a body that is sent with every page has to be text";
            Err(Failure::new(Code::InvalidInput, message).with_hint("leave `--paginate` out"))
        }
    }
}
