//! `connections add`: secrets come from standard input, never from the command line.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal},
};

use serde_json::{Map, Value, json};

use crate::{
    cli::{
        args::AddConnection,
        console::Console,
        input,
        report::Exit,
        signals::{self, Completion},
    },
    engine::{Engine, NewConnection},
    error::{CallCode, Error},
    model::{blueprint::Integration, schema::Schema},
    view::Connection,
};

/// Stores a connection made by hand.
pub fn add(console: &Console, engine: &Engine, args: AddConnection) -> Result<Exit, Error> {
    let integration = console.integration(engine, &args.integration)?;
    let schema = &integration.blueprint.connection_schema;
    let metadata = args.metadata.as_deref().map(|text| input::json("--metadata", text));
    let new = NewConnection {
        connection_config: input::words(&args.set, &schema.document)?.members,
        metadata: metadata.transpose()?.unwrap_or(Value::Null),
        credentials: credentials(&args, &integration)?,
        integration: args.integration,
        id: args.connection,
        sandbox: args.sandbox,
        replace: args.replace,
        tags: BTreeMap::new(),
    };
    let message = |Connection { integration, id, .. }: &Connection| {
        format!("connection `{id}` of `{integration}` is stored")
    };
    if args.no_verify {
        let stored = signals::block_on(engine.add_connections(vec![new]))?.pop();
        let nothing = || Err(refuse("nothing was stored".to_owned(), String::new()));
        return Ok(console.conclude(Ok(stored.unwrap_or_else(nothing)?), message));
    }
    Ok(match signals::complete(engine, engine.add_connection(new))? {
        Completion::Stopped(exit, _) => console.stopped(exit),
        Completion::Done(result) => console.conclude(result?, message),
    })
}

fn credentials(
    args: &AddConnection,
    integration: &Integration,
) -> Result<Map<String, Value>, Error> {
    let schema = &integration.blueprint.auth.credentials;
    if args.token_stdin {
        let field = only_field(schema).ok_or_else(|| needs(args, schema))?;
        let token = given(args, schema)?.trim().to_owned();
        if token.is_empty() {
            return Err(refuse("standard input is empty".to_owned(), how(args, schema)));
        }
        return Ok(Map::from_iter([(field.to_owned(), token.into())]));
    }
    if args.credentials_stdin {
        let text = given(args, schema)?;
        return match input::json("--credentials-stdin", &text)? {
            Value::Object(map) => Ok(map),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => {
                Err(refuse("the credentials are not a JSON object".to_owned(), how(args, schema)))
            }
        };
    }
    // Nothing is asked where nothing is needed.
    let needed = schema.properties().any(|(name, _)| schema.requires(name));
    if args.sandbox || !needed { Ok(Map::new()) } else { Err(needs(args, schema)) }
}

/// Standard input, unless it is a terminal: a person would not be asked for anything there, and
/// what they type would be seen.
fn given(args: &AddConnection, schema: &Schema) -> Result<String, Error> {
    if io::stdin().is_terminal() {
        let message = "standard input is a terminal, which would show the secret".to_owned();
        return Err(refuse(message, how(args, schema)));
    }
    input::stdin()
}

/// The only field that a token can be for.
fn only_field(schema: &Schema) -> Option<&str> {
    let token = |(name, _): &(&str, &Value)| *name == "access_token";
    if let Some((name, _)) = schema.properties().find(token) {
        return Some(name);
    }
    let mut required = schema.properties().filter(|(name, _)| schema.requires(name));
    let first = required.next().map(|(name, _)| name);
    first.filter(|_| required.next().is_none())
}

fn needs(args: &AddConnection, schema: &Schema) -> Error {
    let names: Vec<String> = schema
        .properties()
        .filter(|(name, _)| schema.requires(name))
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    let message = format!("`{}` needs credentials: {}", args.integration, names.join(", "));
    refuse(message, how(args, schema))
}

fn how(args: &AddConnection, schema: &Schema) -> String {
    let name = &args.integration;
    if only_field(schema).is_some() {
        return format!("echo \"$TOKEN\" | engine connections add {name} --token-stdin");
    }
    let fields = schema.properties().filter(|(field, _)| schema.requires(field));
    let example: Map<String, Value> =
        fields.map(|(field, _)| (field.to_owned(), json!("…"))).collect();
    let example = Value::Object(example);
    format!("echo '{example}' | engine connections add {name} --credentials-stdin")
}

fn refuse(message: String, hint: String) -> Error {
    Error::call(CallCode::NeedsCredentials, message, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_where_it_can_only_be_meant_for() {
        for (document, expected) in [
            (
                json!({"required": ["access_token"], "properties": {"refresh_token": {}, "access_token": {}}}),
                Some("access_token"),
            ),
            (
                json!({"required": ["api_key"], "properties": {"api_key": {}, "x": {}}}),
                Some("api_key"),
            ),
            (json!({"required": ["a", "b"], "properties": {"a": {}, "b": {}}}), None),
            (json!({}), None),
        ] {
            assert_eq!(only_field(&Schema::new(document.clone())), expected, "{document}");
        }
    }
}
