// Conversations and workflows, and the tabs they stand behind.

import { all, ask, post } from './api.js';
import { chip, el, keyed, nothing, phone, when } from './dom.js';
import { draw } from './thread.js';

const at = (id) => document.getElementById(id);
const TABS = ['talks', 'flows', 'campaigns', 'letters'];

let look = () => {};
let open = null;

/** Starts the lists. `chosen(contact)` hears which conversation was picked. */
export function start(chosen) {
  look = chosen;
  for (const name of TABS) {
    const tab = at(`tab-${name}`);
    tab.addEventListener('click', () => show(name));
    tab.addEventListener('keydown', (event) => {
      if (event.key !== 'ArrowRight' && event.key !== 'ArrowLeft') return;
      const step = event.key === 'ArrowRight' ? 1 : TABS.length - 1;
      const other = TABS[(TABS.indexOf(name) + step) % TABS.length];
      show(other);
      at(`tab-${other}`).focus();
    });
  }
}

function show(name) {
  for (const each of TABS) {
    at(each).hidden = each !== name;
    at(`tab-${each}`).setAttribute('aria-selected', String(each === name));
    at(`tab-${each}`).tabIndex = each === name ? 0 : -1;
  }
}

export async function refresh() {
  const [talks, flows] = await Promise.all([ask('/api/v1/conversations?limit=30'), ask('/api/v1/workflows')]);
  fill('talk-list', talks.data, 'No conversations yet.', conversation);
  fill('flow-list', flows.data, 'No workflows. Put a file into the workflows folder.', workflow);
  const errors = flows.data.filter((flow) => flow.problems?.length).length;
  at('flow-problems').hidden = errors === 0;
  at('flow-problems').textContent = String(errors);
  const talk = talks.data.find((each) => each.id === open?.id);
  if (talk) await thread(talk);
}

function fill(id, items, empty, row) {
  if (items.length) keyed(at(id), items, (item) => item.id, row);
  else at(id).replaceChildren(nothing(empty));
}

function conversation(talk) {
  const pick = () => {
    open = talk;
    look(talk.contact);
    if (!at('talk').hidden) thread(talk).catch(() => {});
  };
  return el('li', {},
    el('button', { class: 'row', type: 'button', data: { focus: 'talk' }, on: { click: pick } },
      el('strong', {}, phone(talk.contact)),
      el('span', { class: 'soft' }, talk.agentId),
      el('span', { class: 'chips' }, talk.optedOut ? chip('opted out', 'warn') : null, talk.handoff ? chip(`with ${talk.handoff.to}`, 'busy') : null),
      el('span', { class: 'soft end' }, when(talk.lastAt ?? talk.createdAt))),
    talk.handoff ? handoff(talk) : null);
}

function handoff(talk) {
  const button = el('button', { class: 'quiet', type: 'button', data: { focus: 'release' } }, 'Give back');
  button.addEventListener('click', async () => {
    button.disabled = true;
    try {
      await post(`conversations/${talk.id}/release`);
      await refresh();
    } catch (error) {
      button.disabled = false;
      button.textContent = error.message;
    }
  });
  return el('div', { class: 'note' }, el('span', {}, `${talk.handoff.reason || 'Handed to a person'} · since `, when(talk.handoff.since)), button);
}

/** The texts of the open conversation, where there is no pretend phone. */
async function thread(talk) {
  if (at('talk').hidden) return;
  at('talk-who').textContent = `${phone(talk.contact)} · ${talk.agentId}`;
  const texts = await all(`conversations/${talk.id}/messages?limit=100`);
  if (open?.id !== talk.id) return;
  draw(at('talk-thread'), texts.map((text) => ({
    id: text.id, mine: text.direction === 'outbound', body: text.body,
    status: text.direction === 'outbound' ? text.status : '', note: text.errorMessage ?? text.reason, at: text.createdAt,
  })), 'No texts yet.');
}

function workflow(flow) {
  const triggers = (flow.triggers ?? []).map((trigger) => el('code', {}, words(trigger)));
  const version = flow.version ? `v${flow.version}` : 'not in service';
  const steps = flow.steps ? ` · ${flow.steps} ${flow.steps === 1 ? 'step' : 'steps'}` : '';
  return el('li', {},
    el('div', { class: 'row' },
      el('strong', {}, flow.name || flow.id),
      el('span', { class: 'soft' }, version + steps),
      el('span', { class: 'chips' }, ...triggers, flow.active === false ? chip('not active', 'warn') : null),
      el('span', { class: 'soft end' }, flow.file ?? '')),
    flow.description ? el('p', { class: 'soft about' }, flow.description) : null,
    ...(flow.problems ?? []).map(problem));
}

/** A trigger is a word, or an object that names one. */
function words(trigger) {
  if (typeof trigger === 'string') return trigger;
  return trigger.on ?? trigger.event ?? trigger.type ?? JSON.stringify(trigger);
}

function problem(each) {
  return el('pre', { class: each.severity === 'warning' ? 'problem-block warn' : 'problem-block', tabindex: 0 },
    each.rendered || `${each.severity}: ${each.message} (line ${each.line}, column ${each.column})${each.help ? `\nhelp: ${each.help}` : ''}`);
}
