// Nothing here is needed: every page works without it.
(function () {
  'use strict';
  var root = document.documentElement;
  var all = function (q, f) { Array.prototype.forEach.call(document.querySelectorAll(q), f); };
  var say = function (text) { document.getElementById('said').textContent = text; };
  var lang = (navigator.languages || []).find(function (l) {
    return l.split('-')[0] === root.lang.split('-')[0];
  }) || root.lang;

  // A page with account data must not come back from memory after sign-out.
  addEventListener('pageshow', function (e) {
    if (e.persisted && document.body.hasAttribute('data-sensitive')) location.reload();
    if (e.persisted) hide();
  });

  function hide() {
    all('[data-show]', function (b) { if (b.pressed) toggle(b); });
  }
  function toggle(b) {
    var field = b.parentNode.querySelector('input'), text = b.textContent;
    b.pressed = !b.pressed;
    field.type = b.pressed ? 'text' : 'password';
    b.textContent = b.dataset.other;
    b.dataset.other = text;
    if (!b.dataset.name) return;
    var name = b.getAttribute('aria-label');
    b.setAttribute('aria-label', b.dataset.name);
    b.dataset.name = name;
  }
  all('[data-show]', function (b) {
    b.hidden = false;
    b.addEventListener('click', function () {
      toggle(b);
      say(b.pressed ? b.dataset.shown : b.dataset.hidden);
    });
  });

  // A second press within three seconds is a slip; later it is wanted.
  all('form', function (form) {
    var sent = 0;
    form.addEventListener('submit', function (e) {
      if (Date.now() - sent < 3000) { e.preventDefault(); return; }
      sent = Date.now();
      hide();
    });
  });

  // The form for an identity provider goes by itself once, but not when Back or
  // a reload shows it again: nobody could get past it.
  var visit = performance.getEntriesByType('navigation')[0];
  if (visit && visit.type === 'navigate') all('[data-send]', function (form) { form.requestSubmit(); });

  all('[data-digits]', function (field) {
    field.addEventListener('paste', function (e) {
      var text = e.clipboardData && e.clipboardData.getData('text');
      if (!text || !/^[\d\s.\-]+$/.test(text)) return;
      e.preventDefault();
      field.setRangeText(text.replace(/\D/g, ''), field.selectionStart, field.selectionEnd, 'end');
      field.dispatchEvent(new Event('input', { bubbles: true }));
    });
  });

  if (navigator.clipboard) all('[data-copy]', function (b) {
    b.hidden = false;
    b.addEventListener('click', function () {
      var from = document.getElementById(b.dataset.copy), lines = from.querySelectorAll('li');
      var text = lines.length
        ? Array.prototype.map.call(lines, function (l) { return l.textContent.trim(); }).join('\n')
        : from.textContent.replace(/\s/g, '');
      navigator.clipboard.writeText(text).then(function () { say(b.dataset.done); });
    });
  });
  all('[data-print]', function (b) {
    b.hidden = false;
    b.addEventListener('click', function () { print(); });
  });

  var styles = {
    clock: { hour: 'numeric', minute: '2-digit', timeZoneName: 'short' },
    date: { dateStyle: 'long' },
    moment: { dateStyle: 'long', timeStyle: 'short' }
  };
  all('time[data-style]', function (t) {
    t.textContent = new Intl.DateTimeFormat(lang, styles[t.dataset.style]).format(new Date(t.dateTime));
  });

  // Of forms to fill in only this may send itself: the person has tapped the offer.
  if ('OTPCredential' in window) all('[data-webotp]', function (form) {
    var stop = new AbortController();
    form.addEventListener('submit', function () { stop.abort(); });
    navigator.credentials.get({ otp: { transport: ['sms'] }, signal: stop.signal }).then(function (otp) {
      form.code.value = otp.code;
      form.requestSubmit();
    }).catch(function () {});
  });

  // The server says how many seconds are left, so a wrong clock does no harm.
  all('[data-wait]', function (p) {
    var timer = p.querySelector('[role=timer]');
    if (!timer) return;
    all('[data-again]', function (b) {
      b.setAttribute('aria-disabled', true);
      b.addEventListener('click', function (e) {
        if (p.hidden) return;
        e.preventDefault();
        say(p.textContent);
      });
    });
    var end = Date.now() + 1000 * timer.dataset.seconds, clock;
    function tick() {
      var left = Math.ceil((end - Date.now()) / 1000);
      var unit = left > 7200 ? 'hour' : left > 60 ? 'minute' : 'second';
      if (left <= 0) {
        clearInterval(clock);
        p.hidden = true;
        all('[data-again]', function (b) { b.removeAttribute('aria-disabled'); });
        say(p.dataset.done);
        return;
      }
      timer.textContent = new Intl.NumberFormat(lang, { style: 'unit', unit: unit, unitDisplay: 'long' })
        .format(Math.ceil(left / { hour: 3600, minute: 60, second: 1 }[unit]));
    }
    clock = setInterval(tick, 1000);
    tick();
  });
})();
