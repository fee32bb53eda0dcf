// Campaigns: what came of their texts, and the switch that holds them.

import { ask, post } from './api.js';
import { chip, el, keyed, nothing, when } from './dom.js';

const at = (id) => document.getElementById(id);

export async function refresh() {
  const { data } = await ask('/api/v1/campaigns');
  const paused = data.filter((one) => one.paused).length;
  at('campaign-count').hidden = paused === 0;
  at('campaign-count').textContent = String(paused);
  if (data.length) keyed(at('campaign-list'), data, (one) => one.id, row);
  else at('campaign-list').replaceChildren(nothing('No campaigns. A workflow file with campaign, rate or breaker is one.'));
}

const share = (part, whole) => (whole ? ` (${((100 * part) / whole).toFixed(1)} %)` : '');

function row(one) {
  const count = one.counts;
  const button = el('button', { class: 'quiet', type: 'button', data: { focus: 'switch' } }, one.paused ? 'Go on' : 'Pause');
  button.addEventListener('click', async () => {
    button.disabled = true;
    try {
      await post(`campaigns/${one.id}/${one.paused ? 'resume' : 'pause'}`);
      await refresh();
    } catch (error) {
      button.textContent = error.message;
    }
    button.disabled = false;
  });
  const sums = [
    `${count.sent} sent`, `${count.delivered} delivered`, `${count.failed} failed${share(count.failed, count.sent + count.failed)}`,
    `${count.people} people`, `${count.replied} answered${share(count.replied, count.people)}`,
    `${count.optedOut} opted out${share(count.optedOut, count.people)}`, `${count.segments} segments`,
  ];
  return el('li', {},
    el('div', { class: 'row' },
      el('strong', {}, one.name),
      el('span', { class: 'soft' }, one.waiting ? `${one.waiting} texts wait` : ''),
      el('span', { class: 'chips' }, one.paused ? chip('paused', 'warn') : null),
      el('span', { class: 'end' }, button)),
    el('p', { class: 'about soft' }, sums.join(' · ')),
    one.paused ? el('p', { class: 'about' }, `${one.paused.text}, since `, when(one.paused.at)) : null);
}
