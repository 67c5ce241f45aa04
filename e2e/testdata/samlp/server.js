// A SAML 2.0 identity provider for the tests, of samlp and express. Its
// configuration is a JSON file, read anew for every request; CONFIG names it.
//
// issuer, key, cert   who it is and what it signs with (PEM)
// users               [{name, password, subject, mail, attributes}]
// sp                  {entityID, acs, slo, certs, signedRequests, encrypt,
//                     cipher, signAssertion, signResponse, nameID}
const { AsyncLocalStorage } = require('async_hooks');
const crypto = require('crypto');
const fs = require('fs');
const express = require('express');
const samlp = require('samlp');
const { DOMParser } = require('@xmldom/xmldom');
const SessionParticipants = require('samlp/lib/sessionParticipants');

const conf = () => JSON.parse(fs.readFileSync(process.env.CONFIG, 'utf8'));
const email = 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress';
const status = 'urn:oasis:names:tc:SAML:2.0:status:';
const redirect = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect';
const escape = s => String(s).replace(/[&<>"']/g, c => `&#${c.charCodeAt(0)};`);

// For samlp somebody signs in at the moment of each answer. Here it is when
// they gave the password, as a provider says it that knows no ForceAuthn.
const signedIn = new AsyncLocalStorage();
const element = Object.getPrototypeOf(new DOMParser().parseFromString('<a/>').documentElement);
const { setAttribute } = element;
element.setAttribute = function (name, value) {
  return setAttribute.call(this, name, name === 'AuthnInstant' ? signedIn.getStore() : value);
};

const sessions = new Map(); // cookie to {user, pending, participants}
const flows = new Map(); // what samlp.logout keeps on its way
const store = {
  save(req, state, cb) { const id = crypto.randomUUID(); flows.set(id, state); cb(null, id); },
  load(req, id, options, cb) { (cb || options)(null, flows.get(id)); if (options.destroy) flows.delete(id); },
  update(req, id, state, cb) { flows.set(id, state); cb(); },
};

const app = express();
app.use(express.urlencoded({ extended: false }));
app.use((req, res, next) => {
  req.body ??= {};
  let id = /(?:^|; )provider=([\w-]+)/.exec(req.headers.cookie || '')?.[1];
  if (!sessions.has(id)) {
    sessions.set(id = crypto.randomUUID(), { participants: [] });
    // None: a request that comes by POST comes from another site.
    res.append('Set-Cookie', `provider=${id}; Path=/; Secure; HttpOnly; SameSite=None`);
  }
  req.session = sessions.get(id);
  next();
});

app.get('/metadata', (req, res) => {
  const c = conf();
  samlp.metadata({
    issuer: c.issuer, cert: c.cert, redirectEndpointPath: '/sso', postEndpointPath: '/sso', logoutEndpointPaths: { redirect: '/slo' },
  })(req, res);
});

function page(res, code, text) {
  res.status(code).type('html').send(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Provider</title>
<link rel="icon" href="data:,"><h1>Provider</h1>${text}</html>`);
}

function form(res, code, fault) {
  page(res, code, `<p id="fault">${escape(fault)}</p><form method="post" action="/login">
<p><label>User name <input id="username" name="username" autocomplete="username"></label></p>
<p><label>Password <input id="password" name="password" type="password" autocomplete="current-password"></label></p>
<p><button id="submit_button">Sign in</button> <button id="cancel" name="cancel" value="yes">Cancel</button></p></form>`);
}

function answer(req, res, next) {
  const { users, sp, ...c } = conf();
  const user = users.find(u => u.name === req.session.user);
  const format = sp.nameID;
  const nameID = format === email ? user.mail : user.subject;
  const sessionIndex = '_' + crypto.randomUUID();
  req.session.participants.push({
    serviceProviderId: sp.entityID, nameId: nameID, nameIdFormat: format, sessionIndex,
    serviceProviderLogoutURL: sp.slo, cert: sp.certs[0], binding: redirect,
  });
  signedIn.run(req.session.since, () => samlp.auth({
    ...c, audience: sp.entityID, destination: sp.acs, recipient: sp.acs, lifetimeInSeconds: 300, sessionIndex,
    signAssertion: sp.signAssertion, signResponse: sp.signResponse,
    signingCert: sp.signedRequests ? sp.certs[0] : undefined,
    ...(sp.encrypt && {
      encryptionCert: sp.encrypt,
      encryptionPublicKey: new crypto.X509Certificate(sp.encrypt).publicKey.export({ type: 'spki', format: 'pem' }),
      encryptionAlgorithm: sp.cipher || undefined,
      // Those of SAML's own time are refused unless one asks for them.
      disallowEncryptionWithInsecureAlgorithm: !sp.cipher, warnOnInsecureEncryptionAlgorithm: false,
    }),
    getUserFromRequest: () => user,
    getPostURL: (audience, request, req, cb) => cb(null, sp.acs),
    profileMapper: u => ({
      getClaims: () => u.attributes,
      getNameIdentifier: () => ({ nameIdentifier: nameID, nameIdentifierFormat: format }),
    }),
  })(req, res, next));
}

// refuse sends the service an answer without an assertion.
function refuse(req, res, next, code) {
  samlp.parseRequest(req, {}, (err, request) => {
    if (err) return next(err);
    const { sp, ...c } = conf();
    samlp.sendError({
      ...c, destination: sp.acs, inResponseTo: request?.id, signResponse: sp.signResponse,
      signatureAlgorithm: 'rsa-sha256', digestAlgorithm: 'sha256',
      RelayState: req.query.RelayState || req.body.RelayState || '',
      error: { code: status + code }, getPostURL: (req, cb) => cb(null, sp.acs),
    })(req, res, next);
  });
}

// Without a SAMLRequest the provider signs in of its own accord.
app.all('/sso', (req, res, next) => {
  if (req.session.user) return answer(req, res, next);
  req.session.pending = { method: req.method, url: req.url, body: req.body };
  form(res, 200, '');
});

app.post('/login', (req, res, next) => {
  const { username, password, cancel } = req.body;
  const user = conf().users.find(u => u.name === username && u.password === password);
  if (!user && !cancel) return form(res, 401, 'Wrong user name or password.');
  if (!req.session.pending) return page(res, 200, '<p>Signed in.</p>');
  Object.assign(req, req.session.pending); // the service's request again
  if (cancel) return refuse(req, res, next, 'Responder');
  req.session.user = user.name;
  req.session.since = new Date().toISOString();
  if (user.refuse) return refuse(req, res, next, user.refuse);
  answer(req, res, next);
});

app.all('/slo', (req, res, next) => {
  const c = conf();
  samlp.logout({
    issuer: c.issuer, key: c.key, cert: c.cert, store, deflate: true, protocolBinding: redirect,
    signatureAlgorithm: 'rsa-sha256', digestAlgorithm: 'sha256',
    sessionParticipants: new SessionParticipants(req.session.participants),
    clearIdPSession(cb) { req.session.user = undefined; req.session.participants.length = 0; cb(); },
  })(req, res, next);
});

app.use((err, req, res, next) => {
  console.error(err);
  page(res, 400, `<pre id="fault">${escape(err.message)}</pre>`);
});

app.listen(Number(process.env.PORT), '127.0.0.1');
