// The page: asks what it needs to know, starts its parts and keeps them fresh.

import { ask } from './api.js';
import * as approvals from './approvals.js';
import * as attention from './attention.js';
import * as campaigns from './campaigns.js';
import { follow } from './live.js';
import * as lists from './lists.js';
import * as pretend from './phone.js';
import * as runs from './runs.js';

const at = (id) => document.getElementById(id);
/** At most one round of questions in this time, however much happens. */
const ROUND = 300;

let device = null;
let timer = null;
let asked = false;
let state = 'connecting';
let trouble = '';

/** Fetches everything that is shown; many calls close together become one. */
function refresh() {
  if (timer) {
    asked = true;
    return;
  }
  timer = setTimeout(() => {
    timer = null;
    if (!asked) return;
    asked = false;
    refresh();
  }, ROUND);
  const parts = [device, runs, lists, attention, approvals, campaigns].filter((part) => part);
  Promise.allSettled(parts.map((part) => part.refresh())).then((ends) => {
    trouble = ends.find((end) => end.status === 'rejected')?.reason.message ?? '';
    show();
  });
}

/** The state of the line, or what the host does not let us see. */
function show() {
  const words = state === 'connected' && trouble ? trouble : state;
  at('live').dataset.state = words === state ? state : 'trouble';
  if (at('live').textContent !== words) at('live').textContent = words;
}

function line(word) {
  state = word;
  show();
  // Whatever was missed while the line was down.
  if (word === 'connected') refresh();
}

async function start() {
  const boot = await ask('/dashboard/boot.json');
  document.title = `${boot.business} · ringback`;
  at('business').textContent = boot.business;
  at('version').textContent = `ringback ${boot.version}`;
  runs.start();
  if (boot.simulator) {
    device = pretend.start(boot.simulator, look);
    runs.look(device.contact());
  } else {
    at('talk').hidden = false;
    runs.look(null);
  }
  lists.start((contact) => {
    device?.become(contact);
    look(contact);
  });
  at('main').classList.remove('booting');
  at('sign-out').addEventListener('click', leave);
  refresh();
  // The network's own news (a text shown as sent) may come without an entry in the feed.
  if (device) setInterval(() => { if (!document.hidden) device.refresh().catch(() => {}); }, 3000);
  follow(refresh, line);
}

function look(contact) {
  runs.look(contact);
  refresh();
}

async function leave() {
  await ask('/logout', { method: 'POST' }).catch(() => {});
  location.assign('/login');
}

start().catch((error) => {
  if (error.status !== 401) line(error.message);
});
