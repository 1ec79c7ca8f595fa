import { describe, expect, test } from 'vitest';
import { compare, type Evaluation } from 'zrank';
import { seededRandom } from '../../dist/random.js';

function evaluationOf(values: readonly number[], from = 0): Evaluation {
  return {
    convention: 'trec',
    complete: true,
    relevanceLevel: 1,
    judgedOnly: false,
    maxRetrieved: Infinity,
    ignoreIdenticalIds: false,
    measures: { map: values.reduce((sum, value) => sum + value, 0) / values.length },
    queries: new Map(values.map((map, index) => [`q${from + index}`, { map }])),
    missing: [],
    unjudged: [],
  };
}

const zeros = (count: number): Evaluation => evaluationOf(Array.from({ length: count }, () => 0));
const invalid = expect.objectContaining({ name: 'ZrankError', code: 'INVALID_ARGUMENT' });

describe('compare', () => {
  test('pairs the values of each query', () => {
    const comparison = compare(evaluationOf([0.5, 0.5, 0.2, 0]), evaluationOf([1, 0.25, 0.2, 0.75]), 'map');
    expect(comparison).toMatchObject({
      measure: 'map',
      before: 0.3,
      change: 0.25,
      improved: 2,
      worsened: 1,
      unchanged: 1,
    });
    expect(comparison.after).toBeCloseTo(0.55, 12);
    expect(comparison.differences).toEqual(
      new Map([
        ['q0', 0.5],
        ['q1', -0.25],
        ['q2', 0],
        ['q3', 0.75],
      ]),
    );
  });

  test('counts every sign pattern of a few differences', () => {
    // Of the 16 patterns of 1, 2, 3 and -4, sums of at least 2 or at most -2: all but those of 0, which are 2.
    expect(compare(zeros(4), evaluationOf([1, 2, 3, -4]), 'map').pValue).toBe(14 / 16);
    expect(compare(zeros(5), evaluationOf([1, 1, 1, 1, 1]), 'map').pValue).toBe(2 / 32);
    expect(compare(zeros(5), evaluationOf([0.1, 0.2, 0.3, 0, 0]), 'map').pValue).toBe(2 / 8);
    expect(compare(zeros(3), zeros(3), 'map').pValue).toBe(1);
  });

  test('drawn sign patterns come near the exact value', () => {
    const after = evaluationOf([0.3, -0.1, 0.2, 0.05, 0.4, -0.2, 0.1, 0.15, -0.05, 0.25]);
    const exact = compare(zeros(10), after, 'map', { samples: 1024 }).pValue;
    const drawn = compare(zeros(10), after, 'map', { samples: 1023 }).pValue;
    expect(exact * 1024).toBe(Math.round(exact * 1024));
    expect(drawn).not.toBe(exact);
    expect(Math.abs(drawn - exact)).toBeLessThan(0.02);
  });

  test('under the null hypothesis a p-value below 0.1 comes once in ten times', () => {
    const random = seededRandom(5);
    const below = Array.from({ length: 400 }, () => {
      const after = evaluationOf(Array.from({ length: 30 }, () => random() - 0.5));
      return compare(zeros(30), after, 'map', { samples: 400 }).pValue < 0.1;
    }).filter(Boolean).length;
    expect(below / 400).toBeGreaterThan(0.06);
    expect(below / 400).toBeLessThan(0.14);
  });

  test('the interval holds the true change as often as it says', () => {
    const random = seededRandom(9);
    const holds = Array.from({ length: 400 }, () => {
      const after = evaluationOf(Array.from({ length: 50 }, () => 0.1 + random() - 0.5));
      const { low, high } = compare(zeros(50), after, 'map', { samples: 400, confidence: 0.9 }).interval;
      return low <= 0.1 && high >= 0.1;
    }).filter(Boolean).length;
    expect(holds / 400).toBeGreaterThan(0.85);
    expect(holds / 400).toBeLessThan(0.95);
  });

  test('the interval narrows with less confidence and closes on a constant change', () => {
    const after = evaluationOf(Array.from({ length: 40 }, (_, index) => Math.sin(index)));
    const wide = compare(zeros(40), after, 'map', { confidence: 0.99 }).interval;
    const narrow = compare(zeros(40), after, 'map', { confidence: 0.5 }).interval;
    expect(wide.low).toBeLessThan(narrow.low);
    expect(wide.high).toBeGreaterThan(narrow.high);
    expect(compare(zeros(3), evaluationOf([0.5, 0.5, 0.5]), 'map').interval).toEqual({
      low: 0.5,
      high: 0.5,
      confidence: 0.95,
    });
  });

  test('a seed determines the figures', () => {
    const after = evaluationOf(Array.from({ length: 40 }, (_, index) => Math.sin(index)));
    expect(compare(zeros(40), after, 'map', { seed: 3 })).toEqual(compare(zeros(40), after, 'map', { seed: 3 }));
    expect(compare(zeros(40), after, 'map', { seed: 3 }).interval).not.toEqual(
      compare(zeros(40), after, 'map', { seed: 4 }).interval,
    );
  });

  test('refuses evaluations that do not pair', () => {
    expect(() => compare(zeros(3), zeros(2), 'map')).toThrow(invalid);
    expect(() => compare(zeros(2), zeros(3), 'map')).toThrow(invalid);
    expect(() => compare(zeros(2), evaluationOf([0, 0], 1), 'map')).toThrow('only the evaluation before has query q0');
    expect(() => compare(zeros(2), { ...zeros(2), convention: 'ranx' }, 'map')).toThrow(invalid);
    expect(() => compare(zeros(2), { ...zeros(2), relevanceLevel: 2 }, 'map')).toThrow('relevanceLevel of after');
    expect(() => compare(zeros(2), zeros(2), 'ndcg')).toThrow(invalid);
  });

  test.each(['num_ret', 'gm_map'])('refuses %s, which is no mean', (measure) => {
    const evaluation = { ...zeros(2), measures: { [measure]: 0 } };
    expect(() => compare(evaluation, evaluation, measure)).toThrow(`${measure} is no mean over the queries`);
  });

  test.each([
    { samples: 0 },
    { samples: 1.5 },
    { seed: -1 },
    { seed: 2 ** 32 },
    { confidence: 1 },
    { confidence: NaN },
  ])('refuses %j', (options) => {
    expect(() => compare(zeros(2), zeros(2), 'map', options)).toThrow(invalid);
  });
});
