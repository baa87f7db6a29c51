"""Every model of taste on the drawn shop, where part of what shoppers love shows only in pictures; and on real purchases.

Real ones are the 2-core of H&M's sample: its `items.csv`, `interactions.csv` and `images` as DATA/hm-2core. Each user's last
item is the test, ranked exactly among all that the user has not taken; settings were chosen on the last but one. Models over
pictures need `efficientnet-lite0` in the model store; those over an encoder that is not there are left out, visibly. The two
networks that are trained end to end are small ones here (pictures of 64 pixels, an eighth of the channels), as a CPU can bear.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from harness import DATA, Worker, arguments, bars, build, in_turns, table

METRICS = ["auc", "auc-cold", "rr", "p@20", "r@20", "ndcg@20"]
SMALL = ["side=64", "thin=8", "batch=64", "rate=1e-3", "dropout=0.2"]
# A shop whose shoppers are many for its items: much is to be learned from the others, and little from where to start.
DENSE = ["rate=0.005", "visual=20", "latent=64", "lambda=0.05", "lambda_looks=1"]
# Of each model what differs from its usual settings, by what it was found to be the best for on the validation.
MODELS = {
    "bpr-mf": {},
    "vbpr": {"shop": ["start=chance", "visual_bias=false", *DENSE]},
    "dvbpr-efficientnet-lite0": {"shop": ["bias=true", *DENSE]},
    "dvbpr-inceptionv3": {"shop": ["bias=true", *DENSE]},
    "dvbpr-cae": {"shop": ["bias=true", *DENSE]},
    "acf": {},
    "curatornet": {},
    "aggregation-average": {},
    "aggregation-1": {},
    "aggregation-2": {},
    "aggregation-gated": {},
    "dvbpr": {"shop": SMALL, "hm-2core": SMALL},
    "dvbpr-alexnet": {"shop": SMALL, "hm-2core": SMALL},
}
QUICK = ["bpr-mf", "vbpr", "dvbpr-efficientnet-lite0"]


def run(command):
    """A command of ours: what it printed."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    # 3: done, but some rows were left out.
    if done.returncode not in (0, 3):
        raise SystemExit(f"{' '.join(map(str, command))} ended with {done.returncode}")
    return done.stdout


def collection(binary, name, catalogue, pictures, purchases):
    """A collection of pictures' vectors with its purchases, made once."""
    place = DATA / "taste" / f"{name}.lookalike"
    place.parent.mkdir(parents=True, exist_ok=True)
    run([binary, "index", "-q", catalogue, "--images", pictures, "--text-model", "none", place])
    run([binary, "interactions", "-q", place, purchases, "--anew"])
    return place


def shop(binary, products, shoppers):
    """The drawn shop."""
    folder = DATA / "shops" / f"taste-{products}-{shoppers}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = folder.with_suffix(".partial")
        run([build("draw-shop"), partial, "--products", products, "--shoppers", shoppers])
        partial.rename(folder)
    return collection(binary, folder.name, folder / "catalogue.csv", folder, folder / "purchases.csv")


def evaluated(binary, place, data, models, seeds, epochs):
    """Lines of figures, model after model, as `lookalike evaluate` gives them."""
    lines = []
    for model in models:
        changes = [f"--set={model}.{change}" for change in MODELS[model].get(data, [])]
        command = [binary, "evaluate", place, "--json", "--model", model, "--seeds", seeds, "--epochs", epochs, "--at", "20", *changes]
        done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            print(f"{data}: {model} is left out: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            continue
        print("\n".join(line for line in done.stderr.splitlines() if line.startswith(model)), file=sys.stderr)
        # The baselines come with every model, and are the same each time.
        known = {line["model"] for line in lines}
        for line in map(json.loads, done.stdout.splitlines()):
            if line["model"] not in known:
                lines.append({"data": data, **{key: line[key] for key in ("model", "metric", "mean", "sd", "p")}})
    return lines


def reranked(binary, worker, place, user):
    """CPU milliseconds that it takes to score 200 candidates by VBPR."""
    run([binary, "train", "-q", place, "--model", "vbpr", "--epochs", "5"])
    ours = Worker("lookalike", [worker, "rerank", place, "vbpr", user, 200])
    cpu, _ = in_turns([ours], str, 0.5, 5)[ours]
    ours.close()
    return cpu * 1e3


def categories_and_stars(binary, data, place, reviews, seeds, epochs):
    """Lines of how well users' categories are told and, where there are reviews, their stars."""
    command = [binary, "evaluate", place, "-q", "--json", "--seeds", seeds, "--epochs", epochs]
    commands = [[*command, "--categories"]]
    if reviews.is_file():
        rated = place.with_suffix(".rated.lookalike")
        if not rated.exists():
            run(["cp", "-r", place, rated])
            run([binary, "interactions", "-q", rated, reviews, "--anew"])
        commands.append([binary, "evaluate", rated, *command[3:], "--model", "rating"])
    for command in commands:
        done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            print(f"{data}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        for line in map(json.loads, done.stdout.splitlines()):
            yield {**line, "data": data}


def show(data, lines):
    """A table of one data set, and a plot."""
    figures = {(line["model"], line["metric"]): line for line in lines}
    models = list(dict.fromkeys(line["model"] for line in lines))
    cell = lambda line: "" if line is None else f"{line['mean']:.4f}" + (f" ±{line['sd']:.4f}" if line["sd"] else "")
    table([data, *METRICS], [[model, *(cell(figures.get((model, metric))) for metric in METRICS)] for model in models])
    return {model: round(1 - figures[model, "auc"]["mean"], 4) for model in models}


def main():
    options = arguments(__doc__, data="the folder with hm-2core in it [default: LOOKALIKE_DATA]")
    binary = build("lookalike", "lookalike")
    models = QUICK if options.quick else list(MODELS)
    seeds, epochs = (2, 15) if options.quick else (5, 50)
    size = (300, 600) if options.quick else (1_200, 3_000)
    sets = {"shop": shop(binary, *size)}
    real = Path(options.data or os.environ.get("LOOKALIKE_DATA", "")) / "hm-2core"
    if (real / "interactions.csv").is_file():
        sets["hm-2core"] = collection(binary, "hm-2core", real / "items.csv", real, real / "interactions.csv")
    else:
        print(f"skipped: hm-2core, for there is no interactions.csv in {real}", file=sys.stderr)
    reviews = {"shop": DATA / "shops" / f"taste-{size[0]}-{size[1]}" / "reviews.csv", "hm-2core": real / "reviews.csv"}
    drawn = {}
    for data, place in sets.items():
        lines = evaluated(binary, place, data, models, seeds, epochs)
        drawn[data] = show(data, lines)
        told = list(categories_and_stars(binary, data, place, reviews[data], seeds, epochs))
        table([data, "metric", ""], [[line["model"], line["metric"], f"{line['mean']:.4f} ±{line['sd']:.4f}"] for line in told])
        lines += told
        if options.json:
            with open(options.json, "a") as file:
                file.writelines(json.dumps(line) + "\n" for line in lines)
    milliseconds = reranked(binary, build("taste_worker"), sets["shop"], "U000001")
    print(f"re-ranking 200 candidates by vbpr: {milliseconds:.3f} ms of CPU time")
    bars("taste-quick" if options.quick else "taste", "Taste", drawn, "1 - AUC")


main()
