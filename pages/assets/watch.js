// Notices that the session ended, and opens the sign-in beside the page. For
// those who include it: docs/single-page-apps.md.
(function (words) {
  'use strict';
  if (window.sallyport) return;
  // Not by relative addresses: a page may have a <base>.
  var own = location.origin + '/sallyport/', minute = 60000;
  var out = false, about = '', failures = 0, running = null, next = null, timer, bar, before;

  // about is the address that was refused last, until it would not be any more.
  function asked() { return '?for=' + encodeURIComponent(about || location.pathname); }
  function refer(address) {
    if (typeof address === 'string') about = new URL(address, location.href).pathname;
  }

  // The status that tells of the session, 0 without an answer. Not by fetch: an
  // app's own may come here at every 401, and would wait for itself. By HEAD,
  // which no service worker answers from its cache.
  function ask() {
    return new Promise(function (done) {
      var x = new XMLHttpRequest();
      x.open('HEAD', own + 'session' + asked());
      x.timeout = 10000;
      x.onloadend = function () { done(x.status); };
      x.send();
    });
  }
  function start() {
    var was = about;
    running = ask().then(function (status) {
      running = null;
      failures = status === 204 || status === 401 ? 0 : failures + 1;
      if (status === 204 && about === was) about = '';
      plan();
      if (!failures) turn(status === 401);
      return failures ? undefined : !out;
    });
    return running;
  }

  // An answer that was under way may be older than what made somebody ask, so
  // those who ask meanwhile share the next one.
  function check(address) {
    refer(address);
    if (!running) return start();
    return next = next || running.then(function () { next = null; return start(); });
  }
  function plan() {
    clearTimeout(timer);
    if (document.visibilityState !== 'visible') return;
    timer = setTimeout(check, minute * Math.min(Math.pow(2, failures), 16) * (0.9 + Math.random() / 5));
  }
  function look() {
    if (document.visibilityState === 'visible') check();
    else clearTimeout(timer);
  }

  function turn(ended) {
    if (ended === out) return;
    out = ended;
    if (!ended) {
      hide();
      window.dispatchEvent(new Event('sallyport:signed-in'));
    } else if (window.dispatchEvent(new Event('sallyport:signed-out', { cancelable: true })) && 'adoptedStyleSheets' in document) show();
  }

  function add(to, name, text) {
    var e = document.createElement(name);
    if (text) e.textContent = text;
    return to.appendChild(e);
  }
  // The page's style does not reach into it, nor its own out; without markup or
  // style attributes it needs nothing of the page's policy.
  function show() {
    bar = document.createElement('sallyport-bar');
    var root = bar.attachShadow({ mode: 'open' }), sheet = new CSSStyleSheet();
    sheet.replaceSync(style);
    root.adoptedStyleSheets = [sheet];
    var box = add(root, 'section');
    box.lang = words.lang;
    box.dir = words.dir;
    box.setAttribute('aria-label', words.label);
    add(box, 'p', words.text).setAttribute('role', 'alert');
    var link = add(box, 'a', words.signIn), close = add(box, 'button', words.dismiss);
    link.href = own + 'resume' + asked();
    link.target = '_blank';
    link.rel = 'noopener';
    close.type = 'button';
    close.addEventListener('click', hide);
    box.addEventListener('keydown', function (e) { if (e.key === 'Escape') hide(); });
    box.addEventListener('focusin', function (e) {
      if (e.relatedTarget && !box.contains(e.relatedTarget)) before = e.relatedTarget;
    });
    document.body.appendChild(bar);
  }
  // The focus goes back to where it came from.
  function hide() {
    if (!bar) return;
    var focused = document.activeElement === bar;
    bar.remove();
    if (focused && before && before.isConnected) before.focus();
    bar = before = null;
  }
  function signIn(address) {
    refer(address);
    window.open(own + 'resume' + asked(), '_blank', 'noopener');
  }

  // In em: a page may give rem another size.
  var style = ':host { all: initial !important; display: block !important; position: fixed !important; inset: auto 0 0 !important; z-index: 2147483647 !important }' +
    'section { display: flex; flex-wrap: wrap; gap: .75em 1em; align-items: center; justify-content: center; padding: .75em 1em max(.75em, env(safe-area-inset-bottom)); font: 1em/1.5 system-ui, sans-serif; background: #fff; color: #15211f; border-block-start: .25em solid #0b4f4a; box-shadow: 0 0 1em #0006 }' +
    'p { margin: 0 }' +
    'a, button { box-sizing: border-box; min-height: 2.75em; padding: .5em 1em; border: 2px solid transparent; border-radius: .375em; font: inherit; font-weight: 600; text-align: center; text-decoration: none; background: #0b5a54; color: #fff; cursor: pointer }' +
    'button { border: 1px solid #6b7b78; background: none; color: inherit; font-weight: 400 }' +
    'a:hover, button:hover { text-decoration: underline }' +
    ':focus-visible { outline: 3px solid #6a1fb0; outline-offset: 2px }' +
    '@media (prefers-color-scheme: dark) { section { background: #18211f; color: #eef3f1; border-color: #7fd6c8 } a { background: #7fd6c8; color: #06211e } button { border-color: #8a9c97 } :focus-visible { outline-color: #ffd166 } }' +
    '@media print { :host { display: none !important } }';

  Object.defineProperty(window, 'sallyport', { value: Object.freeze({ check: check, signIn: signIn }) });
  document.addEventListener('visibilitychange', look);
  window.addEventListener('focus', look);
  window.addEventListener('online', look);
  window.addEventListener('pageshow', function (e) { if (e.persisted) look(); });
  plan();
})(/* words */ {});
