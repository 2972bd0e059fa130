// The certified OAuth server `oidc-provider`, set up as a vendor would be: refresh tokens that
// rotate and whose reuse ends the grant, PKCE required, device grant, client credentials,
// private_key_jwt, introspection and revocation. Signs everybody in as alice without asking.
// Usage: node oauth.mjs JWKS-FILE; prints its issuer when it listens.
import http from 'node:http';
import { readFileSync } from 'node:fs';
import Provider from 'oidc-provider';

const jwks = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const counts = { token: 0 };
const server = http.createServer();
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const issuer = `http://127.0.0.1:${server.address().port}`;
const redirect_uris = ['http://localhost:3003/oauth/callback', `http://localhost:${process.env.CALLBACK_PORT ?? 3003}/oauth/callback`];
const everything = ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'];

const provider = new Provider(issuer, {
  clients: [
    { client_id: 'web app', client_secret: 's3cret & more:%', redirect_uris, grant_types: everything,
      token_endpoint_auth_method: 'client_secret_basic' },
    { client_id: 'machine', client_secret: 'machine-secret', redirect_uris: [], response_types: [],
      grant_types: ['client_credentials'], token_endpoint_auth_method: 'client_secret_post' },
    { client_id: 'signer', redirect_uris: [], response_types: [], grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: 'RS256', jwks },
    { client_id: 'device', redirect_uris: [], response_types: [],
      grant_types: ['refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      token_endpoint_auth_method: 'none', application_type: 'native' },
  ],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    deviceFlow: {
      enabled: true,
      userCodeConfirmSource: async (ctx, form) => { ctx.body = form; },
      userCodeInputSource: async (ctx, form) => { ctx.body = form; },
      successSource: async (ctx) => { ctx.body = 'done'; },
    },
    introspection: { enabled: true },
    revocation: { enabled: true },
    userinfo: { enabled: true },
  },
  pkce: { required: (ctx, client) => client.clientId === 'web app', methods: ['S256'] },
  scopes: ['openid', 'offline_access', 'api:read'],
  rotateRefreshToken: true,
  issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
  ttl: { AccessToken: 3600, ClientCredentials: 600, DeviceCode: 120, RefreshToken: 86400, Grant: 86400, Interaction: 600, Session: 600 },
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id, name: 'Alice' }) }),
  cookies: { keys: ['only for tests'] },
});

provider.use(async (ctx, next) => {
  if (ctx.path === '/token') counts.token += 1;
  if (ctx.path === '/counts') { ctx.body = counts; return; }
  if (!ctx.path.startsWith('/interaction/')) { await next(); return; }
  const { prompt, params } = await provider.interactionDetails(ctx.req, ctx.res);
  if (prompt.name === 'login') {
    await provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: 'alice' } });
  } else {
    const grant = new provider.Grant({ accountId: 'alice', clientId: params.client_id });
    grant.addOIDCScope(params.scope ?? 'openid');
    await provider.interactionFinished(ctx.req, ctx.res, { consent: { grantId: await grant.save() } });
  }
  ctx.respond = false;
});

server.on('request', provider.callback());
console.log(issuer);
