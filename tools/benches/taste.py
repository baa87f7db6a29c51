"""Every model of taste on the drawn shop, where part of what shoppers love shows only in pictures; and on real purchases.

The drawn shop has 600 products and 4,000 shoppers who look at all of them, and a tenth of its things have only just come in.
(With more products, or shoppers who see what is popular anyway, there is hardly more than that to be learned: neither Cornac
nor implicit finds it.) Real ones are the 2-core of H&M's sample:
its `items.csv`, `interactions.csv` and `images` as DATA/hm-2core. Each user's last item is the test, ranked exactly among all
that the user has not taken. Settings are chosen on the last but one, by `--tune`, which prints every try and looks at no
test. Models over pictures need `efficientnet-lite0` in the model store; those over an encoder that is not there are left
out, visibly. The two networks that are trained end to end are small ones here (pictures of 64 pixels, an eighth of the
channels), as published without biases and factors of their own, and from fewer seeds, as a CPU can bear.
"""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness import DATA, Worker, arguments, bars, build, in_turns, table
from shops import hm, run, shop

METRICS = ["auc", "auc-cold", "rr", "p@20", "r@20", "ndcg@20"]
SIZE, QUICK_SIZE = (600, 4_000), (300, 900)
# Part of the items that nobody has taken yet; the real ones have enough of those as it is.
ARRIVALS = {"shop": ["--arrivals", "0.1"], "hm-2core": []}
# So many triples a step that each of them sees most of the drawn shop's pictures, once.
SMALL = [
    "side=64", "thin=8", "batch=2048", "rate=2e-3", "dropout=0.2", "lambda_net=1e-4", "lambda_user=0.03", "visual=20", "spread=0.1", "latent=0",
    "bias=false",
]
# A shop whose shoppers are many for its items: much is to be learned from the others, and little from where to start.
VISIBLE = ["rate=0.003", "latent=64", "visual=20", "lambda=0.05", "lambda_looks=1", "strength=1"]
FROZEN = ["bias=true", "rate=0.004", "latent=64", "visual=50", "lambda=0.05", "lambda_looks=0.3", "start=looks", "strength=1"]
# Of each model what differs from its usual settings.
MODELS = {
    # Where what is popular is not what is taken next, biases mislead.
    "bpr-mf": {"shop": ["spread=0.01"], "hm-2core": ["spread=0.01", "bias=false", "rate=0.1", "lambda=0.1"]},
    "vbpr": {"shop": VISIBLE},
    "dvbpr-efficientnet-lite0": {"shop": FROZEN, "hm-2core": ["visual=100", "lambda_looks=0.1", "start=looks"]},
    "dvbpr-inceptionv3": {"shop": FROZEN},
    "dvbpr-cae": {"shop": FROZEN},
    "acf": {},
    "curatornet": {},
    "aggregation-average": {},
    "aggregation-1": {},
    "aggregation-2": {},
    "aggregation-gated": {},
    "dvbpr": {"shop": SMALL, "hm-2core": SMALL},
    "dvbpr-alexnet": {"shop": SMALL, "hm-2core": SMALL},
}
RERANKED = ["vbpr", "acf", "curatornet", "aggregation-gated"]
# Seeds, epochs and patience that are not the usual: few where networks are trained end to end or look at whole sets, as a CPU
# can bear; many where an epoch takes no time and long stretches bring nothing before factors come into their own.
SETS = (5, 15, 3)
RUNS = {
    "bpr-mf": (5, 100, 25),
    "curatornet": (2, 15, 3),
    "dvbpr": (2, 40, 40),
    "dvbpr-alexnet": (2, 40, 40),
    "aggregation-average": SETS,
    "aggregation-1": SETS,
    "aggregation-2": SETS,
    "aggregation-gated": SETS,
    "categories": SETS,
    "rating": (3, 10, 2),
}
QUICK = ["bpr-mf", "vbpr", "dvbpr-efficientnet-lite0"]
# What `--tune` tries of each model, and how many of the choices.
TRIES = {
    "shop": {
        "bpr-mf": (24, ["latent=16,64", "spread=0.01,0.1", "rate=0.05,0.1", "lambda=0.01,0.03,0.1"]),
        "vbpr": (24, ["rate=0.003,0.005", "latent=16,64", "visual=20,50", "lambda=0.03,0.05,0.1", "lambda_looks=0.3,1", "start=looks,chance", "strength=1"]),
        "dvbpr-efficientnet-lite0": (12, ["latent=16,64", "lambda=0.03,0.05,0.1", "lambda_looks=0.3,1", "start=chance,looks"]),
    },
    "hm-2core": {
        "bpr-mf": (36, ["latent=16,64", "spread=0.01,0.1", "rate=0.05,0.1", "lambda=0.01,0.03,0.1", "bias=true,false"]),
        "vbpr": (12, ["visual=96,192", "rate=5e-4,1e-3,2e-3", "lambda=0.01,0.03", "strength=2,4,8"]),
        "dvbpr-efficientnet-lite0": (12, ["visual=50,100", "rate=1e-3,3e-3", "lambda=0.001,0.01,0.1", "lambda_looks=0,0.1", "start=chance,looks"]),
    },
}


def command(binary, place, data, model, *more):
    """How a model is judged."""
    changes = [f"--set={model}.{change}" for change in MODELS[model].get(data, [])]
    return [str(part) for part in [binary, "evaluate", place, "--model", model, *ARRIVALS[data], *changes, *more]]


def tune(binary, place, data, models):
    """Prints what every try came to on the validation, and the figures of the best."""
    for model in models:
        if model in TRIES[data]:
            most, values = TRIES[data][model]
            tries = [f"--try={model}.{value}" for value in values]
            line = command(binary, place, data, model, *tries, "--tries", most, "--seeds", 1, "--at", 20, "-q")
            print("lookalike", *line[1:], flush=True)
            subprocess.run(line, check=True)


def written(path, lines):
    """Adds lines of figures to the file, so that what took long is not lost when what comes later fails."""
    if path:
        with open(path, "a") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
    return lines


def limits(name, seeds, epochs):
    """For how many seeds and how long something is trained."""
    some, most, patience = RUNS.get(name, (seeds, epochs, 5))
    return ["--seeds", min(some, seeds), "--epochs", most, "--patience", patience]


def judged(binary, place, data, model, seeds, epochs):
    """Lines of figures of a model and of the baselines, as `lookalike evaluate` gives them."""
    start, runs = time.perf_counter(), limits(model, seeds, epochs)
    line = command(binary, place, data, model, "--json", "--at", 20, *runs)
    done = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode or not any(line["model"] == model for line in found):
        why = [line for line in done.stderr.strip().splitlines() if "left out" in line or done.returncode]
        print(f"{data}: {why[-1] if why else model + ' is left out'}", file=sys.stderr, flush=True)
    else:
        print(f"{data}: {model}", *runs, f"took {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    return found


def evaluated(binary, place, data, models, seeds, epochs, file):
    """Lines of figures of all models, which are judged side by side: some keep a single core busy."""
    lines = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(lambda model: judged(binary, place, data, model, seeds, epochs), models):
            # The baselines come with every model, and are the same each time but for chance, which has as many seeds.
            known = {line["model"] for line in lines}
            keys = ("model", "metric", "mean", "sd", "seeds", "p", "against")
            fresh = [{"data": data, **{key: line[key] for key in keys}} for line in found if line["model"] not in known]
            lines += written(file, fresh)
    return lines


def reranked(binary, worker, place, model, user):
    """CPU milliseconds that it takes to score 200 candidates by a model."""
    run([binary, "train", "-q", place, "--model", model, "--epochs", "2"])
    ours = Worker("lookalike", [worker, "rerank", place, model, user, 200])
    cpu, _ = in_turns([ours], str, 0.5, 5)[ours]
    ours.close()
    return cpu * 1e3


def categories_and_stars(binary, data, place, reviews, seeds, epochs):
    """Lines of how well users' categories are told and, where there are reviews, their stars."""
    evaluate = lambda place, name: [binary, "evaluate", place, "-q", "--json", *limits(name, seeds, epochs)]
    commands = [[*evaluate(place, "categories"), "--categories"]]
    if reviews.is_file():
        rated = place.with_suffix(".rated.lookalike")
        if not rated.exists():
            # With an encoder of texts, which reads the reviews.
            run([binary, "index", "-q", reviews.parent / "catalogue.csv", "--images", reviews.parent, rated])
            run([binary, "interactions", "-q", rated, reviews, "--anew"])
        commands.append([*evaluate(rated, "rating"), "--model", "rating"])
    else:
        print(f"{data}: skipped: the rating model, for nobody has rated anything: there is no {reviews}", file=sys.stderr)
    for command in commands:
        done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            print(f"{data}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        for line in map(json.loads, done.stdout.splitlines()):
            yield {**line, "data": data}


def show(data, lines):
    """A table of one data set, and what there is to plot."""
    figures = {(line["model"], line["metric"]): line for line in lines}
    models = list(dict.fromkeys(line["model"] for line in lines))
    cell = lambda line: "" if line is None else f"{line['mean']:.4f}" + (f" ±{line['sd']:.4f}" if line["sd"] else "")
    seeds = lambda model: figures[model, "auc"]["seeds"]
    rows = [[model, seeds(model), *(cell(figures.get((model, metric))) for metric in METRICS)] for model in models]
    table([data, "seeds", *METRICS], rows)
    return {model: round(1 - figures[model, "auc"]["mean"], 4) for model in models}


def main():
    tuning = {"action": "store_true", "help": "try settings on the validation instead, and print every try"}
    names = {"metavar": "NAME,...", "help": "these models only, without categories and stars"}
    options = arguments(
        __doc__, data="the folder with hm-2core in it [default: LOOKALIKE_DATA]", more=[("--tune", tuning), ("--models", names)]
    )
    binary = build("lookalike", "lookalike")
    models = options.models.split(",") if options.models else QUICK if options.quick else list(MODELS)
    seeds, epochs = (2, 15) if options.quick else (5, 50)
    size = QUICK_SIZE if options.quick else SIZE
    sets = {"shop": shop(binary, *size)}
    data = Path(options.data or os.environ.get("LOOKALIKE_DATA", ""))
    real = hm(binary, data)
    if real:
        sets["hm-2core"] = real
    else:
        print(f"skipped: hm-2core, for there is no hm-2core/interactions.csv in {data}", file=sys.stderr)
    reviews = {"shop": DATA / "shops" / f"taste-{size[0]}-{size[1]}" / "reviews.csv", "hm-2core": data / "hm-2core" / "reviews.csv"}
    drawn = {}
    for name, place in sets.items():
        if options.tune:
            tune(binary, place, name, models)
            continue
        lines = evaluated(binary, place, name, models, seeds, epochs, options.json)
        drawn[name] = show(name, lines)
        if not options.models:
            told = list(categories_and_stars(binary, name, place, reviews[name], seeds, epochs))
            table([name, "metric", ""], [[line["model"], line["metric"], f"{line['mean']:.4f} ±{line['sd']:.4f}"] for line in told])
            written(options.json, told)
    if options.tune:
        return
    if not options.models:
        worker, rated = build("taste_worker"), sets["shop"].with_suffix(".rated.lookalike")
        places = [(model, sets["shop"]) for model in RERANKED[: 1 if options.quick else None]] + [("rating", rated)]
        for model, place in places:
            milliseconds = reranked(binary, worker, place, model, "U000001")
            print(f"re-ranking 200 candidates by {model}: {milliseconds:.3f} ms of CPU time")
    bars("taste-quick" if options.quick else "taste", "Taste", drawn, "1 - AUC")


if __name__ == "__main__":
    main()
