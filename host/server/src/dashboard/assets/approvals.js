// Texts that a person sees before they leave, and may change.

import { ask, post } from './api.js';
import { countdown, el, keyed, phone, when } from './dom.js';

const at = (id) => document.getElementById(id);

export async function refresh() {
  const { data } = await ask('/api/v1/approvals?limit=50');
  at('approvals').hidden = data.length === 0;
  at('approvals-title').textContent = `To approve (${data.length})`;
  keyed(at('approval-list'), data, (text) => text.id, row);
}

const AFTER = { send: 'then it is sent as it is', skip: 'then it is not sent', fail: 'then its step fails' };

function row(text) {
  const words = el('textarea', { class: 'draft', rows: 3, maxlength: 1600, 'aria-label': `Text to ${text.contact}`, data: { focus: 'draft' } });
  words.value = text.body;
  const said = el('span', { class: 'soft', role: 'status' });
  const send = el('button', { type: 'button', class: 'quiet', data: { focus: 'send' } }, 'Send');
  const reject = el('button', { type: 'button', class: 'quiet', data: { focus: 'reject' } }, 'Do not send');
  const answer = async (given) => {
    send.disabled = true;
    reject.disabled = true;
    try {
      await post(`approvals/${text.id}`, given);
      await refresh();
    } catch (error) {
      said.textContent = error.message;
    }
    send.disabled = false;
    reject.disabled = false;
  };
  send.addEventListener('click', () => {
    const changed = words.value !== text.body;
    answer({ answer: 'send', ...(changed ? { body: words.value } : {}) });
  });
  reject.addEventListener('click', () => answer({ answer: 'reject' }));
  const left = text.until ? [countdown(text.until), `, ${AFTER[text.default] ?? ''}`] : ['It waits until somebody answers'];
  return el('li', { class: 'question' },
    el('p', { class: 'row' },
      el('strong', {}, phone(text.contact)),
      el('span', { class: 'soft' }, `${text.workflow ?? ''} asks ${text.by}`),
      el('span', { class: 'soft end' }, 'since ', when(text.since))),
    words,
    el('p', { class: 'about soft' }, ...left),
    el('div', { class: 'options' }, send, reject, said));
}
