// The runs of a contact, and what happened in the chosen one.

import { all, get, ask, post } from './api.js';
import { chip, countdown, el, keyed, nothing, phone, when } from './dom.js';

const at = (id) => document.getElementById(id);

let contact = null;
let everyone = false;
let chosen = null;
let round = 0;

/** Starts the panel; without a contact it shows everybody's. */
export function start() {
  at('runs-one').addEventListener('click', () => scope(false));
  at('runs-all').addEventListener('click', () => scope(true));
}

function scope(wide) {
  everyone = wide;
  chosen = null;
  marks();
  refresh().catch(() => {});
}

function marks() {
  const wide = everyone || !contact;
  at('runs-one').disabled = !contact;
  at('runs-one').setAttribute('aria-pressed', String(!wide));
  at('runs-all').setAttribute('aria-pressed', String(wide));
  at('runs-title').textContent = wide ? 'Runs' : `Runs for ${phone(contact)}`;
}

/** Looks at another contact. */
export function look(number) {
  if (contact !== number) chosen = null;
  contact = number;
  if (number) everyone = false;
  marks();
}

export async function refresh() {
  round += 1;
  const mine = round;
  const wide = everyone || !contact;
  const query = wide ? '' : `&contact=${encodeURIComponent(contact)}`;
  const { data: runs } = await ask(`/api/v1/runs?limit=30${query}`);
  if (mine !== round) return;
  const current = runs.find((run) => run.id === chosen) ?? (chosen ? null : runs[0]);
  const id = current?.id ?? chosen;
  const items = runs.map((run) => ({ ...run, current: run.id === id, wide }));
  if (items.length) keyed(at('run-list'), items, (run) => run.id, row);
  else at('run-list').replaceChildren(nothing(wide ? 'No runs yet.' : 'No runs for this contact yet.'));
  if (!id) return draw(null, []);
  const run = await get(`runs/${id}`);
  const texts = run ? await textsOf(run) : [];
  if (mine === round) draw(run, texts);
  return undefined;
}

/** The texts that a run sent or wanted to send. */
async function textsOf(run) {
  if (!run.contact) return [];
  const person = await get(`contacts/${encodeURIComponent(run.contact)}`);
  const threads = (person?.conversations ?? []).filter((thread) => !run.agent || thread.agentId === run.agent);
  const lists = await Promise.all(threads.map((thread) => all(`conversations/${thread.id}/messages?limit=100`)));
  return lists.flat().filter((text) => text.runId === run.id);
}

function row(run) {
  const choose = () => {
    chosen = run.id;
    refresh().catch(() => {});
  };
  return el('li', {},
    el('button', { type: 'button', 'aria-current': run.current ? 'true' : null, data: { focus: 'row' }, on: { click: choose } },
      el('span', { class: 'run-name' }, run.workflow, el('small', {}, ` v${run.version}`)),
      chip(run.status),
      el('span', { class: 'soft' }, run.wide ? `${phone(run.contact)} · ` : '', when(run.startedAt))));
}

const WAITS = { time: 'Waits', event: 'Waits for an answer or event', text: 'Waits for the outcome of a text' };

function draw(run, texts) {
  const panel = at('run');
  if (!run) {
    panel.replaceChildren(el('p', { class: 'nothing soft' }, 'A missed call starts a run. What it does, and why, is told here as it happens.'));
    delete panel.dataset.run;
    return;
  }
  if (panel.dataset.run !== run.id) {
    panel.replaceChildren(el('div', { class: 'run-head' }), el('ol', { class: 'timeline', 'aria-live': 'polite', 'aria-relevant': 'additions' }));
    panel.dataset.run = run.id;
  }
  const [head, list] = panel.children;
  const { timeline: notes, event, vars, results, ...summary } = run;
  keyed(head, [summary], () => run.id, heading);
  const items = [
    ...(notes ?? []).map((note, index) => ({ kind: 'note', id: `note-${index}`, ...note })),
    ...texts.map((text) => ({ kind: 'text', at: text.createdAt, ...text })),
  ];
  // Notes keep their order; a text comes after the notes of the same moment.
  items.sort((a, b) => new Date(a.at) - new Date(b.at) || (a.kind > b.kind ? 1 : a.kind < b.kind ? -1 : 0));
  keyed(list, items, (item) => item.id, (item) => (item.kind === 'note' ? entry(item) : letter(item)));
}

function heading(run) {
  const facts = el('p', { class: 'run-title' },
    el('strong', {}, run.workflow), ' ', el('span', { class: 'soft' }, `version ${run.version}`), ' ', chip(run.status),
    run.outcome && run.outcome !== run.status ? chip(run.outcome, 'still') : null);
  return el('div', {}, el('div', { class: 'run-line' }, facts, run.status === 'running' ? cancel(run) : null), standing(run));
}

function standing(run) {
  if (run.status !== 'running') return el('p', { class: 'standing' }, 'Ended ', when(run.finishedAt ?? run.updatedAt), ` · ${phone(run.contact)}`);
  if (!run.waiting) return el('p', { class: 'standing' }, 'Working', run.step ? el('code', {}, run.step) : null);
  const { for: what, until } = run.waiting;
  return el('p', { class: 'standing' },
    `${WAITS[what] ?? 'Waits'} at `, el('code', {}, run.step ?? '?'),
    until ? ' · ' : '', until ? countdown(until) : '', until ? el('span', { class: 'soft' }, ' until ', when(until)) : '');
}

/** Asks once more before it cancels. */
function cancel(run) {
  const button = el('button', { type: 'button', class: 'quiet', data: { focus: 'cancel' } }, 'Cancel run');
  button.addEventListener('click', async () => {
    if (button.dataset.sure === undefined) {
      button.dataset.sure = '';
      button.textContent = 'Really cancel?';
      setTimeout(() => {
        delete button.dataset.sure;
        button.textContent = 'Cancel run';
      }, 4000);
      return;
    }
    button.disabled = true;
    try {
      await post(`runs/${run.id}/cancel`);
      await refresh();
    } catch (error) {
      button.disabled = false;
      button.textContent = error.message;
    }
  });
  return button;
}

function entry(note) {
  return el('li', { data: { what: note.what } },
    when(note.at, true),
    el('div', {},
      el('p', { class: 'what' }, el('b', {}, note.what.replaceAll('_', ' ')), note.step ? el('code', {}, note.step) : null),
      note.text ? el('p', {}, note.text) : null));
}

function letter(text) {
  const reason = text.errorMessage ?? text.reason;
  const due = text.scheduledFor ?? text.waitsUntil;
  return el('li', { class: 'letter' },
    when(text.at, true),
    el('div', {},
      el('p', { class: 'quote' }, text.body),
      el('p', { class: 'what' }, chip(text.status), reason ? el('span', { class: 'soft' }, String(reason).replaceAll('_', ' ')) : null,
        due ? countdown(due) : null,
        el('span', { class: 'soft' }, `${text.segments ?? 1} ${(text.segments ?? 1) === 1 ? 'segment' : 'segments'}`)),
      text.verdicts?.length ? why(text.verdicts) : null));
}

/** What each rule of the gate said. */
function why(verdicts) {
  const stopped = verdicts.filter((verdict) => verdict.verdict !== 'passed').length;
  const words = stopped ? `Why: ${stopped} of ${verdicts.length} rules held it` : `Why: ${verdicts.length} rules passed`;
  return el('details', { class: 'why' },
    el('summary', { data: { focus: 'why' } }, words),
    el('ul', {}, ...verdicts.map((verdict) => el('li', {},
      chip(verdict.verdict), el('code', {}, verdict.rule),
      el('span', {}, verdict.reason, verdict.until ? el('span', { class: 'soft' }, ' until ', when(verdict.until)) : '')))));
}
