//! `engine connect`: signing in from a terminal.

use std::io::{self, BufRead, IsTerminal};

use serde_json::{Map, Value};
use tokio::sync::mpsc;
use url::Url;

use crate::{
    cli::{
        args,
        console::Console,
        input,
        prompt::{Prompt, WAYS},
        report::Exit,
        signals::{self, Completion},
        terminal::{STRONG, clean, styled},
    },
    engine::{ConnectCall, Engine, Filled, Form, Person, signed_in},
    error::{CallCode, Error},
    model::schema::Schema,
    view::ErrorBody,
};

/// Lines that may wait to be read.
const LINES: usize = 8;

/// Signs in.
pub fn connect(console: &Console, engine: &Engine, args: args::Connect) -> Result<Exit, Error> {
    let integration = console.integration(engine, &args.integration)?;
    let schema = &integration.blueprint.connection_schema;
    let metadata = args.metadata.as_deref().map(|text| input::json("--metadata", text));
    let credentials = if args.credentials_stdin {
        let Value::Object(map) = input::json("--credentials-stdin", &input::stdin()?)? else {
            let hint = "give one with the blueprint's fields";
            return Err(refuse("the credentials are not a JSON object", hint));
        };
        Some(map)
    } else {
        None
    };
    let call = ConnectCall {
        values: input::words(&args.config, &schema.document)?.members,
        metadata: metadata.transpose()?.unwrap_or(Value::Null),
        scopes: Some(args.scope).filter(|scopes| !scopes.is_empty()),
        credentials,
        integration: args.integration,
        connection: args.connection,
        redirect: args.redirect_url,
        port: args.port,
        device: args.device,
        no_browser: args.no_browser,
        sandbox: args.sandbox,
    };
    let person =
        AtTerminal { console, prompt: Prompt::new(&console.terminal), no_browser: args.no_browser };
    match signals::complete(engine, engine.connect(call, &person))? {
        Completion::Stopped(exit, _) => {
            console.say("stopped; nothing was stored\n");
            if console.for_programs() {
                console.show(&ErrorBody::stopped("stopped"));
            }
            Ok(exit)
        }
        Completion::Done(result) => Ok(console.conclude(result?, signed_in)),
    }
}

struct AtTerminal<'a> {
    console: &'a Console,
    prompt: Prompt<'a>,
    no_browser: bool,
}

impl Person for AtTerminal<'_> {
    fn browse(&self, url: &Url, redirect_uri: &str) {
        let say = |text: &str| self.console.terminal.err(text);
        say(&format!("The vendor must know this redirect URL: {}\n", styled(STRONG, redirect_uri)));
        let open = !self.no_browser && io::stderr().is_terminal();
        if open && webbrowser::open(url.as_str()).is_ok() {
            say(&format!("Sign in in the browser that opens, or go to:\n\n  {url}\n\n"));
        } else {
            say(&format!("Go to this page and sign in:\n\n  {url}\n\n"));
        }
        if io::stdin().is_terminal() || self.no_browser {
            say("Over SSH, paste the URL that the browser ends up at, and press Enter.\n");
        }
    }

    fn confirm(&self, user_code: &str, uri: &str, complete: Option<&str>) {
        let (code, uri) = (clean(user_code), clean(uri));
        let mut text =
            format!("Go to {} and type the code {}\n", styled(STRONG, &uri), styled(STRONG, &code));
        if let Some(complete) = complete {
            text.push_str(&format!("or open {}\n", clean(complete)));
        }
        self.console.terminal.err(&text);
    }

    fn fill<'a>(&'a self, form: Form, schema: &'a Schema) -> Filled<'a> {
        Box::pin(async move {
            if !Prompt::is_possible() {
                return Err(nobody(form, schema));
            }
            let is_hidden = match form {
                Form::Credentials => Schema::is_credential,
                Form::Connection => Schema::is_write_only,
            };
            if schema.properties().any(|(_, property)| is_hidden(property)) {
                self.console.say(WAYS);
            }
            let mut filled = Map::new();
            for (name, property) in schema.properties() {
                let field = Field {
                    name,
                    property,
                    required: schema.requires(name),
                    hidden: is_hidden(property),
                };
                if let Some(value) = self.ask(field).await? {
                    filled.insert(name.to_owned(), value);
                }
            }
            Ok(filled)
        })
    }

    fn pasted(&self) -> Option<mpsc::Receiver<String>> {
        if !io::stdin().is_terminal() && !self.no_browser {
            return None;
        }
        let (send, lines) = mpsc::channel(LINES);
        // A thread that the process does not wait for: reading a terminal cannot be interrupted.
        std::thread::spawn(move || {
            for line in io::stdin().lock().lines().map_while(Result::ok) {
                if !line.trim().is_empty() && send.blocking_send(line).is_err() {
                    return;
                }
            }
        });
        Some(lines)
    }

    fn tell(&self, text: &str) {
        self.console.say(&format!("{}\n", clean(text)));
    }
}

impl AtTerminal<'_> {
    /// Asks for one field, three times at most.
    async fn ask(&self, field: Field<'_>) -> Result<Option<Value>, Error> {
        let Field { name, property, required, hidden } = field;
        let text = |key: &str| property.get(key).and_then(Value::as_str);
        let title = text("title").unwrap_or(name);
        if let Some(description) = text("description") {
            self.console.terminal.err(&format!("{}\n", clean(description)));
        }
        let usual = property.get("default");
        let shown = match (usual, required) {
            (Some(usual), _) => {
                format!(" [{}]", usual.as_str().map_or_else(|| usual.to_string(), str::to_owned))
            }
            (None, false) => " (may be empty)".to_owned(),
            (None, true) => String::new(),
        };
        let question = format!("{}{shown}: ", styled(STRONG, &clean(title)));
        for _ in 0..3 {
            let answer = if hidden {
                self.prompt.secret(&question).await
            } else {
                self.prompt.line(&question).await
            };
            let answer = match answer {
                Ok(answer) => answer,
                // A file that is not there: the next answer may name another.
                Err(error @ Error::Call { .. }) => {
                    self.console.terminal.err(&format!("{error}\n"));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let line = answer.as_ref().map_or("", |answer| answer.trim());
            match (line.is_empty(), usual, required) {
                (true, Some(usual), _) => return Ok(Some(usual.clone())),
                (true, None, false) => return Ok(None),
                // The end of input: nobody will type anything any more.
                (true, None, true) if answer.is_none() => break,
                (true, None, true) => self.console.terminal.err("a value is required\n"),
                (false, ..) => return Ok(Some(crate::schema::coerce(property, line))),
            }
        }
        Err(refuse(&format!("`{name}` was not given"), "run the command again"))
    }
}

/// One field of a form.
struct Field<'a> {
    name: &'a str,
    property: &'a Value,
    required: bool,
    /// What is typed is not seen.
    hidden: bool,
}

/// There is no terminal to ask on.
fn nobody(form: Form, schema: &Schema) -> Error {
    let required = schema.properties().filter(|(name, _)| schema.requires(name));
    let names: Vec<String> = required.map(|(name, _)| format!("`{name}`")).collect();
    let (what, hint) = match form {
        Form::Credentials => {
            ("credentials need", "give them with `--credentials-stdin`, as JSON on standard input")
        }
        Form::Connection => ("the connection needs", "give them with `--config name=value`"),
    };
    refuse(&format!("{what} {}", names.join(", ")), hint)
}

fn refuse(message: &str, hint: &str) -> Error {
    Error::call(CallCode::NeedsCredentials, message, hint)
}
