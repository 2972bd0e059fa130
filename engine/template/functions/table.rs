//! All helpers of the language. A row says everything that the engine knows of one; see
//! docs/contributing.md, "A new helper".

use crate::template::functions::{
    compare, convert, date, encode, list, mime, object,
    row::{Code, Form, Function, Gives, MANY, Named, Reads, row},
    text,
};

const ENCODING: Named = Named::Only(&["encoding"]);
const UNIT: Named = Named::Only(&["unit"]);

/// The function of that name.
pub fn find(name: &str) -> Option<&'static Function> {
    ALL.iter().find(|function| function.name == name)
}

use Code::{Form as F, Plain as P};
use Gives::{Any, Boolean, Elements, List, Object, Scalar};
use Reads::{Compared, Condition, Kinds};

/// In the order of the reference.
pub const ALL: &[Function] = &[
    row("opt", 1..=1, Any, F(Form::Opt))
        .tolerates(1)
        .passes()
        .doc("The value; absent if it is absent or null.", "{{opt body.next_cursor}}"),
    row("default", 2..=2, Any, F(Form::Default))
        .tolerates(1)
        .passes()
        .doc("The value, or the second one if it is absent or null.", "{{default input.limit 50}}"),
    row("first", 1..=MANY, Any, F(Form::First)).tolerates(MANY).passes().doc(
        "The first value that is neither absent nor null; absent if there is none.",
        "{{first body.message body.error.message}}",
    ),
    row("exists", 1..=1, Boolean, F(Form::Exists))
        .tolerates(1)
        .reads(Kinds)
        .doc("Whether the value is neither absent nor null.", "{{exists issue.pull_request}}"),
    row("eq", 2..=2, Boolean, F(Form::Eq)).reads(Compared).doc(
        "Whether two values are the same, numbers by value; false if one is absent.",
        "{{eq (opt body.status) \"done\"}}",
    ),
    row("ne", 2..=2, Boolean, F(Form::Ne))
        .reads(Compared)
        .doc("Whether two values differ; true if one is absent.", "{{ne steps.create.status 201}}"),
    row("lt", 2..=2, Boolean, P(compare::lt))
        .doc("Whether the first of two numbers or strings is smaller.", "{{lt input.count 10}}"),
    row("lte", 2..=2, Boolean, P(compare::lte))
        .doc("Whether the first is smaller or the same.", "{{lte input.count 10}}"),
    row("gt", 2..=2, Boolean, P(compare::gt))
        .doc("Whether the first is larger.", "{{gt (length items) 0}}"),
    row("gte", 2..=2, Boolean, P(compare::gte))
        .doc("Whether the first is larger or the same.", "{{gte body.total 1}}"),
    row("and", 1..=MANY, Boolean, F(Form::And)).reads(Kinds).doc(
        "Whether all are true; the first that is not ends it. Absent counts as false.",
        "{{and (exists input.to) (ne input.to \"\")}}",
    ),
    row("or", 1..=MANY, Boolean, F(Form::Or)).reads(Kinds).doc(
        "Whether one is true; the first that is ends it. Absent counts as false.",
        "{{or (eq body.state \"done\") (eq body.state \"failed\")}}",
    ),
    row("not", 1..=1, Boolean, F(Form::Not))
        .reads(Kinds)
        .doc("The opposite of a boolean; true if it is absent.", "{{not body.has_more}}"),
    row("if", 2..=3, Any, F(Form::If)).reads(Condition).doc(
        "The second if the first is true, else the third, or absent. Only that one is evaluated.",
        "{{if input.html \"html\" \"text\"}}",
    ),
    row("join", 1..=2, Scalar, P(text::join)).doc(
        "Joins strings, numbers and booleans with a separator, or with commas.",
        "{{join input.labels \",\"}}",
    ),
    row("split", 2..=2, List, P(text::split))
        .doc("Cuts text at each separator.", "{{split input.scopes \" \"}}"),
    row("lower", 1..=1, Scalar, P(text::lower)).doc("In small letters.", "{{lower input.email}}"),
    row("upper", 1..=1, Scalar, P(text::upper))
        .doc("In capital letters.", "{{upper input.currency}}"),
    row("trim", 1..=1, Scalar, P(text::trim))
        .doc("Without white space at both ends.", "{{trim input.text}}"),
    row("replace", 3..=3, Scalar, P(text::replace))
        .doc("Replaces each occurrence of a text.", "{{replace input.name \" \" \"-\"}}"),
    row("starts_with", 2..=2, Boolean, P(text::starts_with))
        .doc("Whether text begins with a prefix.", "{{starts_with body.id \"evt_\"}}"),
    row("length", 1..=1, Scalar, P(text::length))
        .reads(Kinds)
        .doc("Elements of a list, or characters of a string.", "{{length items}}"),
    row("flatten", 1..=1, Gives::Flattened, P(list::flatten)).doc(
        "A list of lists becomes one list; one level, other elements stay.",
        "{{flatten steps.channels.outputs}}",
    ),
    row("unique", 1..=1, Elements, P(list::unique))
        .doc("The first of equal elements stays.", "{{unique (pluck items \"owner\")}}"),
    row("pluck", 2..=2, Gives::Members, P(list::pluck)).reads(Reads::Member).doc(
        "One member of each element; elements without it are left out.",
        "{{pluck body.value \"id\"}}",
    ),
    row("find", 3..=3, Gives::Element, P(list::find)).partial().doc(
        "The first element whose member is the value; absent if there is none.",
        "{{find body.channels \"name\" input.name}}",
    ),
    row("sort", 1..=1, Elements, P(list::sort)).named(Named::Only(&["by", "desc"])).doc(
        "In rising order (`desc=true`: falling), by the elements or by a member (`by=`); \
         elements without it come last.",
        "{{sort items by=\"name\"}}",
    ),
    row("slice", 2..=3, Elements, P(list::slice)).doc(
        "The elements from one position (from 0) up to another, which is not included.",
        "{{slice input.ids 0 100}}",
    ),
    row("get", 2..=2, Any, P(object::get)).partial().doc(
        "A member by its name or an element by its index; absent if there is none.",
        "{{get input.fields input.key}}",
    ),
    row("merge", 1..=MANY, Object, P(object::merge)).doc(
        "One object of all members; later ones win.",
        "{{merge input.properties (object email=input.email)}}",
    ),
    row("pick", 2..=MANY, Object, P(object::pick))
        .doc("Only these members of an object.", "{{pick body \"id\" \"name\"}}"),
    row("omit", 2..=MANY, Object, P(object::omit))
        .doc("All but these members of an object.", "{{omit body \"etag\"}}"),
    row("object", 0..=0, Gives::Named, P(object::object)).named(Named::Any).doc(
        "An object of the named arguments; absent ones are left out.",
        "{{object id=body.id name=input.name}}",
    ),
    row("json", 1..=1, Scalar, P(convert::json))
        .doc("JSON text without white space.", "{{json body.errors}}"),
    row("parse_json", 1..=1, Any, P(convert::parse_json))
        .doc("The value of JSON text.", "{{parse_json body.payload}}"),
    row("number", 1..=1, Scalar, P(convert::number))
        .doc("The number that a text spells.", "{{number headers.x-total}}"),
    row("string", 1..=1, Scalar, P(convert::string))
        .doc("A number or boolean as a string.", "{{string input.id}}"),
    row("base64", 1..=1, Scalar, P(encode::base64))
        .doc("Base64 of text.", "{{base64 input.content}}"),
    row("base64url", 1..=1, Scalar, P(encode::base64url)).doc(
        "Base64 for URLs, without padding.",
        "{{base64url (mime to=input.to text=input.text)}}",
    ),
    row("hex", 1..=1, Scalar, P(encode::hex))
        .doc("Two small hexadecimal digits a byte.", "{{hex input.id}}"),
    row("sha256", 1..=1, Scalar, P(encode::sha256)).named(ENCODING).doc(
        "SHA-256 of text; `encoding=`: hex (default), base64, base64url.",
        "{{sha256 input.email}}",
    ),
    row("hmac_sha256", 2..=2, Scalar, P(encode::hmac_sha256)).named(ENCODING).doc(
        "HMAC with SHA-256: key, then text; `encoding=`: hex (default), base64, base64url.",
        "{{hmac_sha256 credentials.secret input.text encoding=\"base64\"}}",
    ),
    row("mime", 0..=0, Scalar, P(mime::mime)).named(Named::Only(mime::ARGUMENTS)).doc(
        "A mail message; lists of addresses may be lists or text. Given `text` and `html`, both.",
        "{{mime to=input.to subject=input.subject text=input.text}}",
    ),
    row("url_encode", 1..=1, Scalar, P(encode::url_encode)).doc(
        "Percent-encoded, for URLs inside of text; places of a request encode by themselves.",
        "{{url_encode input.query}}",
    ),
    row("now", 0..=0, Scalar, P(date::now))
        .doc("The time of the run, as RFC 3339 in UTC.", "{{date_add now \"-7d\"}}"),
    row("date", 1..=2, Scalar, P(date::date)).named(UNIT).doc(
        "A date, time or number (`unit=`: s, ms) as RFC 3339 in UTC, or by a `strftime` format.",
        "{{date input.since \"%Y-%m-%d\"}}",
    ),
    row("date_add", 2..=2, Scalar, P(date::date_add)).named(UNIT).doc(
        "A point in time moved by a span such as `2h` or `-7d`, as RFC 3339 in UTC.",
        "{{date_add input.start \"1h\"}}",
    ),
    row("epoch", 1..=1, Scalar, P(date::epoch)).named(UNIT).doc(
        "Seconds since 1970 of a date or time; `unit=\"ms\"`: milliseconds.",
        "{{epoch input.created_after}}",
    ),
];
