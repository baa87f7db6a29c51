"""The peers of `tools/bench scan`, each a process: scan_peers.py numpy|faiss-flat|faiss-fp16 VECTORS QUERIES DIMENSION.

Speaks as our own worker does (tools/src/bin/scan_worker.rs): `search THREADS BATCH COUNT` and `answers COUNT`.
"""

import json
import sys

import numpy as np
import threadpoolctl

K = 10


def numpy_engine(base):
    def search(queries):
        # One query as a vector, so that BLAS multiplies a matrix by a vector.
        similarities = base @ queries[0] if len(queries) == 1 else queries @ base.T
        similarities = similarities.reshape(len(queries), -1)
        ids = np.argpartition(similarities, -K, axis=1)[:, -K:]
        best = np.take_along_axis(similarities, ids, 1)
        order = np.argsort(-best, axis=1, kind="stable")
        return np.take_along_axis(best, order, 1), np.take_along_axis(ids, order, 1)

    return search, lambda threads: threadpoolctl.threadpool_limits(threads, user_api="blas")


def faiss_engine(base, halves):
    import faiss

    dimension = base.shape[1]
    if halves:
        index = faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        index.train(base[:1])
    else:
        index = faiss.IndexFlatIP(dimension)
    index.add(base)

    def threads(count):
        faiss.omp_set_num_threads(count)
        threadpoolctl.threadpool_limits(count)

    return (lambda queries: index.search(queries, K)), threads


def main():
    engine, vectors, queries, dimension = sys.argv[1:]
    base = np.fromfile(vectors, np.float32).reshape(-1, int(dimension))
    queries = np.fromfile(queries, np.float32).reshape(-1, int(dimension))
    search, threads = numpy_engine(base) if engine == "numpy" else faiss_engine(base, engine == "faiss-fp16")
    print(json.dumps({}), flush=True)
    for line in sys.stdin:
        request, *numbers = line.split()
        if request == "answers":
            similarities, ids = search(queries[: int(numbers[0])])
            print(json.dumps(list(zip(ids.tolist(), similarities.tolist()))), flush=True)
            continue
        count, batch, total = map(int, numbers)
        threads(count)
        asked = np.resize(queries, (total, queries.shape[1]))
        for start in range(0, total, batch):
            search(asked[start : start + batch])
        print(json.dumps({}), flush=True)


main()
