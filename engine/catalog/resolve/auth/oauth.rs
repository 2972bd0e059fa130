//! `OAUTH2`, `OAUTH2_CC`, `OAUTH1`.

use std::collections::BTreeMap;

use crate::{
    catalog::{
        decode::Raw,
        resolve::{
            auth::{
                answer::answer,
                parts::{Within, needed_url, node_of, text, url},
                request::{alone, client_auth},
                sign::assertion,
            },
            shape::{headers, pairs},
        },
        spec::{
            auth::{AuthSpec, FormatSpec, TokenRequestSpec},
            sign::SignatureMethodSpec,
        },
    },
    diagnostic::Diagnostics,
    model::{
        auth::{ClientAuth, ClientCredentials, OAuth1, OAuth2, TokenEndpoint, TokenFormat},
        http::Method,
        sign::SignatureMethod,
    },
};

/// `OAUTH2`
pub fn oauth2(
    spec: &AuthSpec,
    within: Within<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<OAuth2> {
    let names = within.names;
    let authorization_url =
        needed_url((spec.authorization_url.as_ref(), "authorization_url"), within, diagnostics);
    let token = endpoint(spec, within, diagnostics);
    let secret = names.secret();
    let mut optional = |raw: Option<&Raw>| match raw {
        Some(Raw(node)) => url(node, &secret, names, diagnostics).map(Some),
        None => Some(None),
    };
    let refresh_url = optional(spec.refresh_url.as_ref());
    let device_authorization_url = optional(spec.device_authorization_url.as_ref());
    let refresh_params = node_of(spec.refresh_params.as_ref());
    let refresh_params = refresh_params.map(|node| pairs(Some(node), &secret, diagnostics));
    let authorization_params =
        pairs(node_of(spec.authorization_params.as_ref()), &secret, diagnostics);
    let issuer = text(spec.issuer.as_ref(), &names.base(), diagnostics);
    let [exchange, introspect, revoke] = [&spec.exchange, &spec.introspect, &spec.revoke]
        .map(|spec| alone(spec.as_ref(), within, diagnostics));
    Some(OAuth2 {
        authorization_url: authorization_url?,
        authorization_params,
        authorization_rename: renames(spec.authorization_rename.as_ref()),
        code_param: spec.code_param.clone().unwrap_or_else(|| "code".to_owned()),
        device_authorization_url: device_authorization_url?,
        default_scopes: spec.default_scopes.clone(),
        scope_separator: separator(spec),
        pkce: spec.pkce.unwrap_or(true),
        issuer,
        token: token?,
        refresh_url: refresh_url?,
        refresh_params,
        exchange,
        introspect,
        revoke,
    })
}

/// `OAUTH2_CC`
pub fn client_credentials(
    spec: &AuthSpec,
    within: Within<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<ClientCredentials> {
    let token = endpoint(spec, within, diagnostics);
    let revoke = alone(spec.revoke.as_ref(), within, diagnostics);
    Some(ClientCredentials {
        token: token?,
        default_scopes: spec.default_scopes.clone(),
        scope_separator: separator(spec),
        revoke,
    })
}

/// `OAUTH1`
pub fn oauth1(
    spec: &AuthSpec,
    within: Within<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<OAuth1> {
    let secret = within.names.secret();
    let request_url = needed_url((spec.request_url.as_ref(), "request_url"), within, diagnostics);
    let authorization_url =
        needed_url((spec.authorization_url.as_ref(), "authorization_url"), within, diagnostics);
    let token_url = needed_url((spec.token_url.as_ref(), "token_url"), within, diagnostics);
    let authorization_params =
        pairs(node_of(spec.authorization_params.as_ref()), &secret, diagnostics);
    let realm = text(spec.realm.as_ref(), &secret, diagnostics);
    let save = answer(spec, &within.names.base(), diagnostics).save;
    Some(OAuth1 {
        request_url: request_url?,
        authorization_url: authorization_url?,
        authorization_params,
        token_url: token_url?,
        signature_method: match spec.signature_method {
            None | Some(SignatureMethodSpec::HmacSha1) => SignatureMethod::HmacSha1,
            Some(SignatureMethodSpec::HmacSha256) => SignatureMethod::HmacSha256,
            Some(SignatureMethodSpec::Plaintext) => SignatureMethod::Plaintext,
        },
        realm,
        save,
    })
}

/// By `token_request`, or by its short forms beside it.
fn endpoint(
    spec: &AuthSpec,
    within: Within<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<TokenEndpoint> {
    let url = needed_url((spec.token_url.as_ref(), "token_url"), within, diagnostics);
    let secret = within.names.secret();
    let none = TokenRequestSpec::default();
    let full = spec.token_request.as_ref().unwrap_or(&none);
    let method = full.method.as_ref().map(|method| (Method::parse(&method.value), method));
    let method = match method {
        None => Some(Method::Post),
        Some((Some(method @ (Method::Get | Method::Post | Method::Put)), _)) => Some(method),
        Some((_, given)) => {
            let message = format!("`{}` is no method of token requests", given.value);
            diagnostics.error("file.bad-value", message, Some(given.node.place.clone()));
            None
        }
    };
    let given = full.client_auth.as_ref().or(spec.authorization_method.as_ref());
    let assertion = assertion(spec.assertion.as_ref(), within, diagnostics);
    let client_auth = given.map_or(ClientAuth::Body, |given| client_auth(given.value));
    if let (ClientAuth::PrivateKeyJwt, None, Some(given)) = (client_auth, &assertion, given) {
        let message = "`private_key_jwt` needs `assertion`: what is signed, and with which key";
        diagnostics.error("file.missing-key", message, Some(given.node.place.clone()));
    }
    let fields = node_of(full.headers.as_ref()).or(node_of(spec.token_headers.as_ref()));
    let params = node_of(full.params.as_ref()).or(node_of(spec.token_params.as_ref()));
    let params = pairs(params, &secret, diagnostics);
    let headers = headers(fields, &secret, diagnostics);
    let answer = answer(spec, &within.names.base(), diagnostics);
    Some(TokenEndpoint {
        url: url?,
        method: method?,
        params,
        headers,
        client_auth,
        format: match full.format.or(spec.body_format) {
            None | Some(FormatSpec::Form) => TokenFormat::Form,
            Some(FormatSpec::Json) => TokenFormat::Json,
            Some(FormatSpec::Query) => TokenFormat::Query,
        },
        rename: renames(full.rename.as_ref()),
        assertion,
        answer,
    })
}

fn separator(spec: &AuthSpec) -> String {
    spec.scope_separator.clone().unwrap_or_else(|| " ".to_owned())
}

fn renames(given: Option<&BTreeMap<String, String>>) -> Vec<(String, String)> {
    given.into_iter().flatten().map(|(from, to)| (from.clone(), to.clone())).collect()
}
