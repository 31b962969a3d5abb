import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addMetrics, type CollectedMetrics, createMetrics } from '../../metrics.ts';
import { MetricsOfWorkers } from './metrics-of-workers.ts';

/** Workers that count on their own; `frozen` ones do not answer, `gone` ones cannot be asked. */
function workersOf(count: number) {
  const counting = Array.from({ length: count }, () => createMetrics());
  const frozen = new Set<number>();
  const gone = new Set<number>();
  const gathering = new MetricsOfWorkers((workerId, question) => {
    if (gone.has(workerId)) return false;
    if (!frozen.has(workerId))
      void counting[workerId]?.collect().then((metrics) => gathering.answer(workerId, question, metrics));
    return true;
  });
  const total = async () => tokensIn(await addMetrics(await gathering.gather([...counting.keys()])));
  return { counting, frozen, gone, gathering, total };
}

function tokensIn(metrics: CollectedMetrics): number {
  const issued = metrics.find(({ name }) => name === 'tessera_tokens_issued_total');
  return issued?.values.reduce((sum, { value }) => sum + value, 0) ?? 0;
}

const issue = (metrics: { tokensIssued: { inc(labels: object): void } } | undefined) =>
  metrics?.tokensIssued.inc({ grant_type: 'refresh_token' });

describe('the metrics of all workers', () => {
  it('are the sums of what each has counted', async () => {
    const { counting, total } = workersOf(3);
    for (const [index, metrics] of counting.entries()) for (let i = 0; i <= index; i++) issue(metrics);
    assert.equal(await total(), 6);
  });

  it('never fall when workers go, however many', async () => {
    const { counting, gone, gathering, total } = workersOf(12);
    for (const metrics of counting) issue(metrics);
    assert.equal(await total(), 12);
    for (let workerId = 0; workerId < 11; workerId++) {
      gone.add(workerId);
      gathering.depart(workerId);
      assert.equal(await total(), 12);
    }
    issue(counting[11]);
    assert.equal(await total(), 13);
  });

  it('hold what a frozen worker said last', async () => {
    const { counting, frozen, total } = workersOf(2);
    for (const metrics of counting) issue(metrics);
    assert.equal(await total(), 2);
    frozen.add(1);
    issue(counting[0]);
    assert.equal(await total(), 3);
  });
});
