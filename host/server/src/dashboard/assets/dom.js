// Building and renewing the page. Text only ever becomes text: nothing here or
// elsewhere in these modules reads markup.

/** An element; `props` are attributes, `class`, `on` (listeners) or `data`. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'on') for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else if (name === 'data') Object.assign(node.dataset, value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ''));
  return node;
}

/**
 * Makes `parent` show `items`: a node stays while its item is unchanged, so that
 * focus, scrolling and opened details survive.
 */
export function keyed(parent, items, key, draw) {
  const old = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  let place = null;
  for (const item of items) {
    const id = String(key(item));
    const print = JSON.stringify(item);
    let node = old.get(id);
    if (!node || node.print !== print) {
      const fresh = draw(item);
      fresh.dataset.key = id;
      fresh.print = print;
      if (node) {
        keepOpen(node, fresh);
        const held = node.contains(document.activeElement) && document.activeElement.dataset.focus;
        node.replaceWith(fresh);
        if (held) fresh.querySelector(`[data-focus="${held}"]`)?.focus();
      }
      node = fresh;
    }
    old.delete(id);
    const next = place ? place.nextSibling : parent.firstChild;
    if (node !== next) parent.insertBefore(node, next);
    place = node;
  }
  for (const node of old.values()) node.remove();
}

function keepOpen(from, to) {
  const fresh = to.querySelectorAll('details');
  from.querySelectorAll('details').forEach((details, at) => {
    if (details.open && fresh[at]) fresh[at].open = true;
  });
}

// 24 hours everywhere: shorter, and the same width at every hour.
const hours = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };
const clock = new Intl.DateTimeFormat(undefined, { ...hours, second: '2-digit' });
const short = new Intl.DateTimeFormat(undefined, hours);
const day = new Intl.DateTimeFormat(undefined, { weekday: 'short', day: 'numeric', month: 'short' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' });

const today = (date) => date.toDateString() === new Date().toDateString();

/** A time as people say it: the day only when it is not today. */
export function when(text, seconds = false) {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return el('span', {}, '–');
  const hour = (seconds ? clock : short).format(date);
  const words = today(date) ? hour : `${day.format(date)}, ${hour}`;
  return el('time', { datetime: text, title: full.format(date) }, words);
}

/** What is left until a time; kept up by `tick`. */
export function countdown(until) {
  return el('span', { class: 'countdown', data: { until } }, left(until));
}

function left(until) {
  const seconds = Math.ceil((new Date(until) - Date.now()) / 1000);
  if (Number.isNaN(seconds)) return '';
  if (seconds <= 0) return 'any moment';
  const [d, h, m, s] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60];
  if (d > 0) return `${d} d ${h} h`;
  if (h > 0) return `${h} h ${m} min`;
  if (m > 0) return `${m} min ${String(s).padStart(2, '0')} s`;
  return `${s} s`;
}

setInterval(() => {
  for (const node of document.querySelectorAll('.countdown')) {
    const words = left(node.dataset.until);
    if (node.textContent !== words) node.textContent = words;
  }
}, 1000);

/** A number as people read it; only North American ones have a known grouping. */
export function phone(number) {
  const parts = /^\+1(\d{3})(\d{3})(\d{4})$/.exec(number ?? '');
  return parts ? ['+1', ...parts.slice(1)].join('\u00a0') : (number ?? 'nobody');
}

const TONES = {
  running: 'busy', finished: 'good', delivered: 'good', read: 'good', received: 'good', passed: 'good', completed: 'good', answered: 'good',
  failed: 'bad', undelivered: 'bad', refused: 'bad', error: 'bad', needs_review: 'bad',
  skipped: 'warn', expired: 'warn', deferred: 'warn', scheduled: 'warn', unknown: 'warn', retrying: 'warn', warning: 'warn',
};

/** A small word with a colour; the colour is never the only sign. */
export function chip(word, tone = TONES[word] ?? 'still') {
  return el('span', { class: `chip ${tone}` }, String(word).replaceAll('_', ' '));
}

/** What a list says when it has nothing. */
export function nothing(words) {
  return el('li', { class: 'nothing soft' }, words);
}
