"""Writes peers.json: random judgements and runs with what pytrec_eval, scikit-learn and ranx make of them, and what
pytrec_eval makes of the Cranfield run in its means.

Needs pytrec_eval-terrier 0.5.11, scikit-learn 1.9.1, ranx 0.3.21; python make.py 16 1 > peers.json
"""

import json
import math
import pathlib
import random
import sys

import numpy as np
import pytrec_eval
import ranx
from sklearn.metrics import ndcg_score

TREC_MEASURES = [
    "num_q",
    "num_ret",
    "num_rel",
    "num_rel_ret",
    "num_nonrel_judged_ret",
    "map",
    "gm_map",
    "Rprec",
    "bpref",
    "gm_bpref",
    "recip_rank",
    "iprec_at_recall.0.0,0.1,0.3,0.45,0.5,1.0",
    "P.3,10",
    "recall.3,10",
    "relative_P.3,10",
    "infAP",
    "Rprec_mult.0.2,0.5,1.4,2.0",
    "utility",
    "11pt_avg",
    "binG",
    "G",
    "ndcg",
    "ndcg_rel",
    "Rndcg",
    "ndcg_cut.3,10",
    "map_cut.3,10",
    "success.1,3",
    "set_P",
    "set_relative_P",
    "set_recall",
    "set_map",
    "set_F",
]
# zrank's options and what pytrec_eval calls them.
TREC_OPTIONS = [
    ({}, {}),
    ({"relevanceLevel": 2}, {"relevance_level": 2}),
    ({"relevanceLevel": 3}, {"relevance_level": 3}),
    ({"judgedOnly": True}, {"judged_docs_only_flag": True}),
    ({"relevanceLevel": 2, "judgedOnly": True}, {"relevance_level": 2, "judged_docs_only_flag": True}),
]
RANX_MEASURES = [
    "ndcg@5",
    "ndcg",
    "ndcg_burges@5",
    "ndcg_burges",
    "mrr",
    "mrr@3",
    "map",
    "map@5",
    "recall@5",
    "precision@5",
    "hit_rate@3",
]
# Ids whose UTF-8 order differs from their UTF-16 order, from the case-insensitive one and from the numerical one.
NAMES = ["d{}", "D{}", "é{}", "\uff5a{}", "\U0001f600{}", "{}", "d{}-x"]


def documents(rng, count):
    return [rng.choice(NAMES).format(i) for i in range(count)]


def judgements(rng, pool, grades):
    return {document: rng.choice(grades) for document in rng.sample(pool, rng.randint(1, min(8, len(pool))))}


def trec(rng, queries):
    qrels, run = {}, {}
    for q in range(queries):
        pool = documents(rng, rng.randint(2, 16))
        # The first grade 0 keeps trec_eval from queries of negative grades only, where it reads stale memory.
        judged = judgements(rng, pool, [0, 0, 1, 1, 2, 3, -1] if q % 6 else [0])
        judged[rng.choice(pool)] = 0
        if q % 7 != 5:
            qrels[f"q{q}"] = judged
        if q % 7 != 3:
            levels = rng.choice([1, 2, 4])
            retrieved = rng.sample(pool, rng.randint(1, len(pool)))
            run[f"q{q}"] = {d: rng.randint(0, levels) + rng.choice([0, 1e-9]) for d in retrieved}
    return {"qrels": qrels, "run": run, "evaluations": [trec_queries(qrels, run, *options) for options in TREC_OPTIONS]}


def trec_values(qrels, run, options):
    values = pytrec_eval.RelevanceEvaluator(qrels, set(TREC_MEASURES), **options).evaluate(run)
    for query in values.values():
        # It gives logarithms, and 0 / 0 where the run holds no judged document.
        for measure in ["gm_map", "gm_bpref"]:
            query[measure] = math.exp(query[measure])
    return {q: {m: 0 if math.isnan(v) else v for m, v in query.items()} for q, query in values.items()}


def rounded(values):
    return [float(f"{value:.12g}") for value in values]


def trec_queries(qrels, run, named, options):
    values = trec_values(qrels, run, options)
    measures = list(next(iter(values.values())))
    return {"options": named, "measures": measures, "queries": {q: rounded(v.values()) for q, v in values.items()}}


def cranfield():
    folder = pathlib.Path(__file__).parent.parent / "cranfield"
    qrels, run = {}, {}
    for line in (folder / "qrels.tsv").read_text().splitlines()[1:]:
        query, document, grade = line.split("\t")
        qrels.setdefault(query, {})[document] = int(grade)
    for line in (folder / "bm25.trec").read_text().splitlines():
        query, _, document, _, score, _ = line.split()
        run.setdefault(query, {})[document] = float(score)
    return [trec_summary(qrels, run, *options) for options in TREC_OPTIONS]


def trec_summary(qrels, run, named, options):
    values = list(trec_values(qrels, run, options).values())
    return {"options": named, "measures": {m: rounded([summary(m, [v[m] for v in values])])[0] for m in values[0]}}


def summary(measure, values):
    if measure.startswith("gm_"):
        return math.exp(sum(map(math.log, values)) / len(values))
    return pytrec_eval.compute_aggregated_measure(measure, values)


def sklearn(rng, queries):
    qrels, run, values = {}, {}, {}
    for q in range(queries):
        pool = documents(rng, rng.randint(2, 12))
        grades = {document: rng.randint(0, 3) for document in pool}
        scores = {document: rng.randint(0, 3) / 3 for document in pool}
        qrels[f"q{q}"], run[f"q{q}"] = grades, scores
        truth, score = np.array([list(grades.values())]), np.array([list(scores.values())])
        values[f"q{q}"] = {
            "ndcg@3": ndcg_score(truth, score, k=3),
            "ndcg": ndcg_score(truth, score),
            "ndcg_exp@3": ndcg_score(2**truth - 1, score, k=3),
        }
    return {"qrels": qrels, "run": run, "queries": values}


def ranx_case(rng, queries):
    qrels, run = {}, {}
    for q in range(queries):
        pool = documents(rng, rng.randint(6, 14))
        qrels[f"q{q:02}"] = judgements(rng, pool, [1, 1, 2, 3])
        scores = rng.sample(range(100), len(pool))
        run[f"q{q:02}"] = {document: score / 8 for document, score in zip(pool, scores)}
    own = ranx.Run(run)
    means = ranx.evaluate(ranx.Qrels(qrels), own, RANX_MEASURES)
    values = {q: {m: float(own.scores[m][q]) for m in RANX_MEASURES} for q in run}
    return {"qrels": qrels, "run": run, "queries": values, "measures": {m: float(v) for m, v in means.items()}}


def main():
    queries, rng = int(sys.argv[1]), random.Random(int(sys.argv[2]))
    cases = {"trec9": trec(rng, queries), "sklearn": sklearn(rng, queries), "ranx": ranx_case(rng, queries)}
    cases["cranfield"] = cranfield()
    json.dump(cases, sys.stdout, ensure_ascii=True, separators=(",", ":"))
    print()


main()
