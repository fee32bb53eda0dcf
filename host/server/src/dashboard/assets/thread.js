// Bubbles: texts and calls as a phone shows them.

import { el, keyed, when } from './dom.js';

const ENDS = {
  ringing: 'Ringing', 'no-answer': 'Missed call', busy: 'Line was busy', canceled: 'Hung up before an answer',
  completed: 'Call', answered: 'Call answered', failed: 'Call failed', rejected: 'Call declined', voicemail: 'Voicemail',
};

/** Draws `items` ({ id, mine, body?, media?, status?, at, call?, said?, note? }) and stays at the end if it was there. */
export function draw(list, items, empty) {
  const end = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  const count = list.childElementCount;
  const sorted = [...items].sort((a, b) => new Date(a.at) - new Date(b.at));
  const shown = sorted.length ? sorted : [{ id: 'empty', empty }];
  keyed(list, shown, (item) => item.id, bubble);
  if (end || count <= 1) list.scrollTop = list.scrollHeight;
}

function bubble(item) {
  if (item.empty) return el('li', { class: 'nothing soft' }, item.empty);
  if (item.call) {
    const words = ENDS[item.call] ?? item.call;
    return el('li', { class: 'event' },
      el('span', {}, `${words} · `, when(item.at)),
      item.said ? el('q', {}, item.said) : null);
  }
  const media = (item.media ?? []).map((url) => el('span', { class: 'media' }, url));
  const failed = ['failed', 'undelivered'].includes(item.status);
  return el('li', { class: item.mine ? 'bubble mine' : 'bubble' },
    el('p', {}, item.body, ...media),
    el('span', { class: failed ? 'fate bad' : 'fate' }, when(item.at), item.status ? ` · ${item.status.replaceAll('_', ' ')}` : '', item.note ? ` · ${item.note}` : ''));
}
