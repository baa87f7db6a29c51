"""The peers of train_rates.py: `vbpr FOLDER ...` is Cornac's VBPR on PyTorch, `bpr FILE K` is implicit's BPR.

`bpr FILE K` and `vbpr FILE D K K2 BATCH` learn from a file of `user,item,...` rows and answer each line `N` on stdin after so
many epochs more. `auc FOLDER EPOCHS SEED` trains Cornac's VBPR (10 + 20, batch 100, rate .005, lambda .01) on the split
that `taste_worker split` wrote and says the test's exact AUC, worked out here, with NumPy alone: first with Cornac's model as
it is, then with its broadcast mended (it adds a column of visual biases to a row of the other terms, so that a batch of 100
triples counts as 10,000); `aucbpr FOLDER EPOCHS SEED` that of its BPR (64 factors, rate .05, lambda .01).
"""

import inspect
import json
import sys
from pathlib import Path

import numpy as np


def read(file):
    users, items, pairs = {}, {}, []
    with open(file) as lines:
        next(lines)
        for line in lines:
            user, item = line.split(",", 2)[:2]
            pairs.append((users.setdefault(user, len(users)), items.setdefault(item, len(items))))
    return np.array(pairs), len(users), len(items)


def serve(hello, work):
    print(json.dumps(hello), flush=True)
    for line in sys.stdin:
        work(int(line))
        print("null", flush=True)


def bpr(file, k):
    from implicit.cpu.bpr import BayesianPersonalizedRanking
    from scipy.sparse import csr_matrix

    pairs, users, items = read(file)
    ones = np.ones(len(pairs), dtype=np.float32)
    taken = csr_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(users, items))

    def epochs(count):
        model = BayesianPersonalizedRanking(
            factors=int(k), learning_rate=0.05, regularization=0.01, iterations=count, num_threads=1, random_state=1
        )
        model.fit(taken, show_progress=False)

    serve({"pairs": taken.nnz}, epochs)


def aucbpr(folder, epochs, seed):
    from cornac.data import Dataset
    from cornac.models import BPR

    items, _, train, test = split(folder)
    users, ids = {}, {}
    for user, item in train.tolist():
        users.setdefault(user, len(users))
        ids.setdefault(item, len(ids))
    data = Dataset.build([(u, i, 1.0) for u, i in train.tolist()], global_uid_map=dict(users), global_iid_map=dict(ids))
    model = BPR(k=64, max_iter=int(epochs), learning_rate=0.05, lambda_reg=0.01, use_bias=True, num_threads=1, seed=int(seed), verbose=False)
    model.fit(data)
    # What nobody has taken, Cornac does not know: it stands at nothing, as ours does.
    scores = np.zeros((len(users), items), dtype=np.float32)
    scores[:, list(ids)] = model.u_factors @ model.i_factors.T + model.i_biases
    value = mean_auc(lambda user: scores[users[user]], train, test, items)
    print(json.dumps({"model": "Cornac BPR", "auc": value}), flush=True)


def split(folder):
    """What `taste_worker split` wrote: how many items, their features, pairs for training and for the test."""
    folder = Path(folder)
    shape = json.loads((folder / "shape.json").read_text())
    features = np.fromfile(folder / "features.f32", dtype="<f4").reshape(shape["items"], shape["dimension"])
    load = lambda name: np.fromfile(folder / f"{name}.u32", dtype="<u4").reshape(-1, 2)
    return shape["items"], features, load("train"), load("test")


def mean_auc(scores_of, train, test, items):
    """The exact AUC of the test, ties half."""
    values = []
    for user, item in test.tolist():
        scores = scores_of(user)
        rivals = np.ones(items, dtype=bool)
        rivals[train[train[:, 0] == user, 1]] = False
        rivals[item] = False
        rest = scores[rivals]
        values.append(((rest < scores[item]).sum() + 0.5 * (rest == scores[item]).sum()) / len(rest))
    return float(np.mean(values))


def cornac_vbpr(mended):
    """Cornac's class; mended, its source with the broadcast of the visual bias undone."""
    from cornac.models import VBPR
    from cornac.models.vbpr import recom_vbpr

    if not mended:
        return VBPR
    source = inspect.getsource(recom_vbpr).replace("feat_diff.mm(Bp)", "feat_diff.mm(Bp).squeeze(1)")
    source = source.replace("from ..recommender", "from cornac.models.recommender").replace("from ...", "from cornac.")
    space = {}
    exec(compile(source, "recom_vbpr", "exec"), space)
    return space["VBPR"]


def fit(pairs, features, mended=False, **settings):
    import io
    from contextlib import redirect_stdout

    from cornac.data import Dataset, ImageModality

    # Cornac numbers users and items as they come.
    users, items = {}, {}
    for user, item in pairs:
        users.setdefault(user, len(users))
        items.setdefault(item, len(items))
    order = list(items) + [item for item in range(len(features)) if item not in items]
    data = Dataset.build([(u, i, 1.0) for u, i in pairs], global_uid_map=dict(users), global_iid_map={i: n for n, i in enumerate(order)})
    data.add_modalities(item_image=ImageModality(features=features[order], ids=list(range(len(order))), normalized=False))
    data.item_image.features = features[order]
    model = cornac_vbpr(mended)(verbose=False, **settings)
    with redirect_stdout(io.StringIO()):
        model.fit(data)
    return model, users, {item: n for n, item in enumerate(order)}


def vbpr(file, d, k, k2, batch):
    import torch

    torch.set_num_threads(1)
    pairs, _, items = read(file)
    features = np.random.default_rng(1).normal(size=(items, int(d))).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)

    def epochs(count):
        fit(pairs.tolist(), features, k=int(k), k2=int(k2), n_epochs=count, batch_size=int(batch), learning_rate=1e-3, seed=1)

    serve({"pairs": len(pairs)}, epochs)


def auc(folder, epochs, seed):
    import torch

    torch.set_num_threads(1)
    count, features, train, test = split(folder)
    for name, mended in [("Cornac as it is", False), ("Cornac, mended", True)]:
        model, users, items = fit(
            train.tolist(), features, mended=mended, k=10, k2=20, n_epochs=int(epochs), batch_size=100, learning_rate=0.005,
            lambda_w=0.01, lambda_b=0.01, lambda_e=0.0, seed=int(seed),
        )
        place = np.array([items[i] for i in range(len(features))])
        common = model.beta_item + model.visual_bias
        scores = lambda u: common + model.gamma_item @ model.gamma_user[u] + model.theta_item @ model.theta_user[u]
        value = mean_auc(lambda user: scores(users[user])[place], train, test, count)
        print(json.dumps({"model": name, "auc": value}), flush=True)


{"bpr": bpr, "vbpr": vbpr, "auc": auc, "aucbpr": aucbpr}[sys.argv[1]](*sys.argv[2:])
