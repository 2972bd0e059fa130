//! What the doors ask of the engine, and what they get.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Map, Value};

use crate::model::{
    account::Account,
    http::{Body, HeaderName, HeaderValue, Method},
    run_limits::RunLimits,
};

/// To run an action.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// The entry of `integrations.yaml`, or a blueprint's name.
    pub integration: String,
    /// The action's name.
    pub action: String,
    /// Which connection; else the only one, else `default`.
    pub connection: Option<String>,
    /// By the action's input schema.
    pub input: Value,
    /// Against the sandbox.
    pub sandbox: bool,
    /// Instead of the blueprint's retry budget.
    pub wait: Option<Duration>,
    /// Over the limits of the entry and the action.
    pub run_limits: RunLimits,
    /// The same call twice under one key is the same work once; its result is kept for a day.
    pub idempotency_key: Option<String>,
}

/// To send a request with the auth, limits and retries of an integration.
#[derive(Debug, Clone)]
pub struct ApiCall {
    /// The entry of `integrations.yaml`, or a blueprint's name.
    pub integration: String,
    /// The method.
    pub method: Method,
    /// Relative to the base URL; may hold a query.
    pub path: String,
    /// Further parameters.
    pub query: Vec<(String, String)>,
    /// Further headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body; its type is one of the headers.
    pub body: Body,
    /// Read all pages by the blueprint's pagination.
    pub paginate: bool,
    /// Which connection.
    pub connection: Option<String>,
    /// Against the sandbox.
    pub sandbox: bool,
    /// May be repeated although its method does not say so.
    pub idempotent: Option<bool>,
    /// Instead of the blueprint's retry budget.
    pub wait: Option<Duration>,
    /// Over the limits of the entry.
    pub run_limits: RunLimits,
}

/// A connection made by hand.
#[derive(Debug, Clone, Default)]
pub struct NewConnection {
    /// The integration.
    pub integration: String,
    /// Its id.
    pub id: String,
    /// By the blueprint's `credentials` schema; for token modes also `expires_in` (seconds) or
    /// `expires_at` (RFC 3339 or epoch seconds).
    pub credentials: Map<String, Value>,
    /// Values of the connection, read-only ones too.
    pub connection_config: Map<String, Value>,
    /// Free form.
    pub metadata: Value,
    /// To filter by.
    pub tags: BTreeMap<String, String>,
    /// For the sandbox: needs no credentials.
    pub sandbox: bool,
    /// An existing one of that id is replaced.
    pub replace: bool,
}

/// What a deletion came to.
#[derive(Debug, Clone)]
pub struct Deleted {
    /// As it was.
    pub account: Account,
    /// Whether the vendor revoked its tokens; `None` if the vendor could not be asked. The error says
    /// why it has to be tried again.
    pub revoked: Option<Result<(), String>>,
}

/// To sign in.
#[derive(Debug, Clone, Default)]
pub struct ConnectCall {
    /// The entry of `integrations.yaml`, or a blueprint's name.
    pub integration: String,
    /// The connection's id; one that exists is signed in again.
    pub connection: String,
    /// Values of the connection.
    pub values: Map<String, Value>,
    /// Free-form data; `null` keeps what is there.
    pub metadata: Value,
    /// Instead of the integration's scopes.
    pub scopes: Option<Vec<String>>,
    /// What would be typed into the form.
    pub credentials: Option<Map<String, Value>>,
    /// Where the browser comes back to.
    pub redirect: String,
    /// Instead of the redirect's port; 0 picks a free one.
    pub port: Option<u16>,
    /// By a device's code.
    pub device: bool,
    /// No browser can be opened here: the URL is pasted.
    pub no_browser: bool,
    /// At the sandbox.
    pub sandbox: bool,
}
