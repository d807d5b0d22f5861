// An OpenID provider on loopback: node provider.mjs MODULES PORT KEYS CALLBACK,… LOGOUT. KEYS is a file, made with new keys if it
// is missing; the callbacks and LOGOUT, where there are some, are addresses of a Keystone. Users are whatever they call
// themselves, with any password but `wrong`.

import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const [modules, port, keys, callbacks, logout] = process.argv.slice(2);
const { default: Provider } = await import(`${modules}/oidc-provider/lib/index.js`);

if (!existsSync(keys)) {
  const pairs = [
    ['RS256', generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' })],
    ['EdDSA', generateKeyPairSync('ed25519')],
  ];
  const exported = pairs.map(([alg, { privateKey }]) => ({ ...privateKey.export({ format: 'jwk' }), alg, use: 'sig' }));
  writeFileSync(keys, JSON.stringify({ keys: exported }));
}

const device = 'urn:ietf:params:oauth:grant-type:device_code';
const back = 'http://127.0.0.1:1/back';
const program = {
  grant_types: ['authorization_code', 'client_credentials', 'password', device],
  redirect_uris: [back],
  client_secret: 'cli',
};
const cloud = {
  scope: 'openid groups',
  audience: 'cloud',
  accessTokenFormat: 'jwt',
  jwt: { sign: { alg: 'EdDSA' } },
};

const provider = new Provider(`http://127.0.0.1:${port}`, {
  jwks: JSON.parse(readFileSync(keys)),
  clients: [
    {
      client_id: 'keystone',
      client_secret: 's3cr:t/+',
      redirect_uris: [back, ...(callbacks ? callbacks.split(',') : [])],
      ...(logout ? { backchannel_logout_uri: logout } : {}),
      id_token_signed_response_alg: 'ES256',
    },
    // Its access tokens are opaque.
    { ...program, client_id: 'cli' },
    // Its access tokens are JSON Web Tokens for the cloud.
    { ...program, client_id: 'cli-jwt' },
  ],
  scopes: ['openid', 'email', 'groups'],
  claims: { openid: ['sub'], email: ['email'], groups: ['groups'] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@example.org`, groups: ['devs', 'ops'] }),
  }),
  // Introspection tells them too: of the others, userinfo has to.
  extraTokenClaims: (_, { clientId, accountId }) => {
    if (clientId !== 'cli-jwt') return undefined;
    return { groups: ['devs', 'ops'], ...(accountId ? { email: `${accountId}@example.org` } : {}) };
  },
  // Its own dispatcher sends nothing to this machine.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  cookies: { keys: ['of no importance'] },
  enabledJWA: {
    idTokenSigningAlgValues: ['RS256', 'ES256', 'EdDSA'],
    userinfoSigningAlgValues: ['RS256'],
  },
  features: {
    devInteractions: { enabled: true },
    backchannelLogout: { enabled: true },
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (_, client) => (client.clientId === 'cli-jwt' ? 'urn:cloud' : undefined),
      useGrantedResource: () => true,
      getResourceServerInfo: () => cloud,
    },
  },
});

const password = async (ctx) => {
  const { client, params } = ctx.oidc;
  if (params.password === 'wrong') {
    ctx.status = 400;
    ctx.body = { error: 'invalid_grant' };
    return;
  }
  const scope = 'openid email groups';
  const grant = new provider.Grant({ accountId: params.username, clientId: client.clientId });
  grant.addOIDCScope(scope);
  const token = new provider.AccessToken({
    client, scope, accountId: params.username, grantId: await grant.save(), gty: 'password', claims: {},
  });
  if (client.clientId === 'cli-jwt') token.resourceServer = new provider.ResourceServer('urn:cloud', cloud);
  ctx.body = { access_token: await token.save(), token_type: 'Bearer', expires_in: token.expiration };
};
provider.registerGrantType('password', password, new Set(['username', 'password', 'scope']));

provider.listen(Number(port), '127.0.0.1', () => console.log('listening'));
