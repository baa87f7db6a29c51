"""The peers of `tools/bench filter` and `tools/bench update`, each a process that speaks as our own worker does.

    filter_peers.py build ENGINE INDEX VECTORS DIMENSION PRICES
    filter_peers.py serve ENGINE INDEX QUERIES DIMENSION PRICES

Requests (tools/src/bin/filter_worker.rs): `search PRICE COUNT` and `answers PRICE COUNT`; qdrant-edge also understands `write
VECTORS FROM TO ROUND`. Graphs as those of `tools/bench search`: 32 links a row, breadth 200 when built; searched with what
reaches about the recall that ours has without a filter. One thread.
"""

import json
import sys

import numpy as np

K, LINKS, BUILD, SEARCH = 10, 32, 200, 96


def floats(path, dimension):
    return np.fromfile(path, np.float32).reshape(-1, int(dimension))


class QdrantEdge:
    """As its documentation sets it up: half precision, an index over the field that is filtered by."""

    def __init__(self, path):
        import qdrant_edge

        self.q, self.path = qdrant_edge, str(path)

    def config(self, dimension):
        q = self.q
        graph = q.HnswIndexConfig(m=LINKS // 2, ef_construct=BUILD, full_scan_threshold=10_000, max_indexing_threads=1)
        vectors = q.EdgeVectorParams(size=dimension, distance=q.Distance.Dot, datatype=q.VectorStorageDatatype.Float16)
        optimizers = q.EdgeOptimizersConfig(default_segment_number=1)
        return q.EdgeConfig(vectors=vectors, hnsw_config=graph, optimizers=optimizers, max_search_threads=1)

    def points(self, rows, vectors, prices):
        pairs = zip(rows, vectors.tolist(), prices.tolist())
        return [self.q.Point(int(row), vector, {"price": price}) for row, vector, price in pairs]

    def build(self, vectors, prices):
        import pathlib

        pathlib.Path(self.path).mkdir(parents=True)
        self.shard = self.q.EdgeShard.create(self.path, self.config(vectors.shape[1]))
        self.shard.update(self.q.UpdateOperation.create_field_index("price", self.q.PayloadSchemaType.Integer))
        self.upsert(np.arange(len(vectors)), vectors, prices)
        self.shard.optimize()
        self.shard.close()

    def upsert(self, rows, vectors, prices, block=2000):
        for start in range(0, len(rows), block):
            end = start + block
            points = self.points(rows[start:end], vectors[start:end], prices[start:end])
            self.shard.update(self.q.UpdateOperation.upsert_points(points))
        self.shard.flush()

    def open(self, prices):
        self.shard = self.q.EdgeShard.load(self.path)

    def search(self, query, price):
        q = self.q
        below = q.FieldCondition(key="price", range=q.RangeFloat(lt=float(price)))
        request = q.SearchRequest(
            q.Query.Nearest(query.tolist()), K, filter=q.Filter(must=[below]) if price else None,
            params=q.SearchParams(hnsw_ef=SEARCH), with_payload=True,
        )
        return [point.id for point in self.shard.search(request)]


class Usearch:
    """A graph without a filter: asked for more until enough of them match."""

    def __init__(self, path):
        self.path = str(path)

    def build(self, vectors, prices):
        from usearch.index import Index

        index = Index(ndim=vectors.shape[1], metric="ip", dtype="f16", connectivity=LINKS // 2, expansion_add=BUILD)
        index.add(np.arange(len(vectors)), vectors, threads=1)
        index.save(self.path)

    def open(self, prices):
        from usearch.index import Index

        self.index, self.prices = Index.restore(self.path, view=True), prices

    def search(self, query, price):
        if not price:
            self.index.expansion_search = SEARCH
            return self.index.search(query, K, threads=1).keys.tolist()
        wanted = min(len(self.prices), 2 * K * len(self.prices) // price)
        while True:
            self.index.expansion_search = max(SEARCH, wanted)
            keys = self.index.search(query, wanted, threads=1).keys
            matching = keys[self.prices[keys] < price]
            if len(matching) >= K or wanted == len(self.prices):
                return matching[:K].tolist()
            wanted = min(len(self.prices), 2 * wanted)


ENGINES = {"qdrant-edge": QdrantEdge, "usearch-f16": Usearch}


def say(**line):
    print(json.dumps(line), flush=True)


def serve(engine, queries, prices):
    engine.open(prices)
    say(queries=len(queries))
    following = 0
    for line in sys.stdin:
        request, *words = line.split()
        if request == "write":
            vectors, start, end, turn = words[0], *map(int, words[1:])
            rows = np.arange(start, end)
            engine.upsert(rows, floats(vectors, queries.shape[1])[(rows + turn) % len(prices)], prices[rows % len(prices)])
            say()
            continue
        price, count = map(int, words)
        if request == "answers":
            say(rows=[engine.search(query, price) for query in queries[:count]])
            continue
        for _ in range(count):
            engine.search(queries[following % len(queries)], price)
            following += 1
        say()


def main(task, name, path, file, dimension, prices):
    engine, rows, prices = ENGINES[name](path), floats(file, dimension), np.fromfile(prices, "<u4").astype(np.int64)
    engine.build(rows, prices) if task == "build" else serve(engine, rows, prices)


main(*sys.argv[1:])
