"""Training: a step of CNN-F and of AlexNet, of the rating model's two phases, and of the models of sets of pictures, all
against PyTorch; triples a CPU second of BPR-MF against implicit and of VBPR against Cornac; and what each of them comes to on
the same split as Cornac's.

PyTorch is the Python index's, with its own BLAS: Debian's takes twice the time.
"""

import train_auc
import train_rates
import train_rating
import train_sets
import train_step
from harness import arguments, bars, finish


def main():
    options = arguments(__doc__)
    steps = [train_step, train_rating, train_sets]
    results = [result for step in steps for result in step.measure(options.quick)]
    rates = train_rates.measure(options.quick)
    finish(results + rates, options.json)
    train_rates.append(train_rates.more(options.quick), options.json)
    train_rates.append(train_auc.measure(options.quick), options.json)
    drawn = {r["case"]: {r["our_name"]: r["ours"], r["peer_name"]: r["peer"]} for r in results}
    bars("train-quick" if options.quick else "train", "A training step", drawn, "CPU ms")


main()
