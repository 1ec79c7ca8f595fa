"""Processor time of zrank and sentence-transformers for the same pairs, in fp32, bf16 and int8, turn by turn.

python bench/kernels/processor-time.py FOLDER [ROUNDS] [CONTENDER...]

A contender is zrank or sentence-transformers with a precision, such as zrank-int8; without any, all take part. Scores
are compared with those of the first. Ratios are to sentence-transformers in the same precision where it takes part,
else to the first.

For a machine that other programs keep busy: it counts work, not waiting. Needs torch and sentence-transformers; zrank
is that of this clone, built. Every contender is a process of its own that stays, and has one call to warm up.
"""

import json
import random
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
WORDS = """the a of to and in that it is was for on are with as at be this have from one had by word but not what all
were when can said there each which do how if will up other about out many then them these so some would make like him
into time has look two more write go see market finance interest rate policy court law contract evidence function
variable memory thread garden recipe travel flight music history empire river mountain climate energy battery vaccine
protein cell doctor patient treatment""".split()

SENTENCE_TRANSFORMERS = """
import json, sys, time, torch
from sentence_transformers import CrossEncoder
torch.set_num_threads(2)
model = CrossEncoder(sys.argv[1], device='cpu', model_kwargs={'dtype': getattr(torch, sys.argv[2])})
for line in sys.stdin:
    start = time.process_time()
    scores = model.predict([tuple(pair) for pair in json.loads(line)], batch_size=32, show_progress_bar=False)
    seconds = time.process_time() - start
    print(json.dumps({'seconds': seconds, 'scores': [float(score) for score in scores]}), flush=True)
"""
ZRANK = """
import { createInterface } from 'node:readline';
const [, root, folder, precision] = process.argv;
const { Reranker } = await import(`${root}/dist/index.js`);
const reranker = await Reranker.load(folder, { precision, threads: 2 });
for await (const line of createInterface({ input: process.stdin })) {
  const start = process.cpuUsage();
  const scores = await reranker.predict(JSON.parse(line));
  const { user, system } = process.cpuUsage(start);
  console.log(JSON.stringify({ seconds: (user + system) / 1e6, scores: [...scores] }));
}
await reranker.close();
"""


def text(words):
    return " ".join(random.choice(WORDS) for _ in range(words))


def rerank(query_words):
    query = text(query_words)
    return [[query, text(random.randint(290, 480))] for _ in range(8)]


def workloads():
    random.seed(1)
    lengths = [min(1500, max(20, int(random.lognormvariate(5.3, 0.8)))) for _ in range(12)]
    return {
        "pairs": [[text(12), text(length)] for length in lengths],
        "rerank, short query": rerank(14),
        "rerank, long query": rerank(295),
    }


def start(command):
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def ask(process, pairs):
    process.stdin.write(json.dumps(pairs) + "\n")
    process.stdin.flush()
    line = process.stdout.readline()
    while line and not line.startswith("{"):
        line = process.stdout.readline()
    if not line:
        sys.exit(f"{process.args[0]} ended: {process.args[-2:]}")
    return json.loads(line)


DTYPES = {"fp32": "float32", "bf16": "bfloat16"}
CONTENDERS = ["sentence-transformers-fp32", "zrank-fp32", "sentence-transformers-bf16", "zrank-bf16", "zrank-int8"]


def contender(name, folder):
    who, precision = name.rsplit("-", 1)
    if who == "zrank":
        return start(["node", "--input-type=module", "-e", ZRANK, str(HERE.parent.parent.resolve()), folder, precision])
    return start([sys.executable, "-c", SENTENCE_TRANSFORMERS, folder, DTYPES[precision]])


def main(folder, rounds, names):
    contenders = {name: contender(name, folder) for name in names}
    for workload, pairs in workloads().items():
        answers = {name: [ask(process, pairs)] for name, process in contenders.items()}
        for _ in range(rounds):
            for name, process in contenders.items():
                answers[name].append(ask(process, pairs))
        least = {name: min(answer["seconds"] for answer in some[1:]) for name, some in answers.items()}
        exact = answers[names[0]][0]["scores"]
        for name, seconds in least.items():
            difference = max(abs(a - b) for a, b in zip(answers[name][0]["scores"], exact))
            peer = f"sentence-transformers-{name.rsplit('-', 1)[1]}"
            ratio = least.get(peer, least[names[0]]) / seconds
            print(f"{workload:20} {name:26}  {seconds:8.2f} s  x {ratio:.2f}  difference {difference:.1e}", flush=True)
    for process in contenders.values():
        process.stdin.close()
    for process in contenders.values():
        if process.wait() != 0:
            return 1
    return 0


if __name__ == "__main__":
    folder, options = sys.argv[1], sys.argv[2:]
    sys.exit(main(str(Path(folder).resolve()), int(options[0]) if options else 1, options[1:] or CONTENDERS))
