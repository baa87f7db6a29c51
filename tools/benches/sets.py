"""The four ways to make one picture of a shopper's many, on planted shoppers: precision, recall and F1 of the first 5, 10, 15
and 20 categories, mean and deviation over seeds that draw shoppers and first weights anew; and a plot of the three curves.

What shoppers' pictures show, and why each way should tell more than the one before, is on top of tools/src/planted.rs.
Settings were chosen on the seeds 101 to 103, and these are others.
"""

import json

from harness import DATA, arguments, build, run, table

# Shoppers, values of the hidden layer, epochs, the first seed, seeds.
SIZES, QUICK = [3_000, 256, 240, 401, 5], [1_000, 128, 20, 401, 2]
RATE = 3e-3


def main():
    options = arguments(__doc__)
    plot = DATA / "plots" / ("sets-quick.svg" if options.quick else "sets.svg")
    plot.parent.mkdir(parents=True, exist_ok=True)
    *_, printed = run([build("aggregate_worker"), *(QUICK if options.quick else SIZES), RATE, plot])
    lines = [json.loads(line) for line in printed.splitlines()]
    metrics = list(dict.fromkeys(line["metric"] for line in lines))
    cells = {(line["model"], line["metric"]): f"{line['mean']:.3f} ±{line['sd']:.3f}" for line in lines}
    models = dict.fromkeys(line["model"] for line in lines)
    table(["planted", *metrics], [[model, *(cells[model, metric] for metric in metrics)] for model in models])
    print(f"plot: {plot}")
    if options.json:
        with open(options.json, "a") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)


main()
