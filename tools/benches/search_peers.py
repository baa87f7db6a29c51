"""The peers of `tools/bench search`, each a process.

    search_peers.py build ENGINE VECTORS DIMENSION INDEX     builds and saves an index; says what it took
    search_peers.py serve ENGINE INDEX QUERIES DIMENSION     opens it and speaks as our own worker does

Requests (tools/src/bin/search_worker.rs): `search BREADTH COUNT` and `answers BREADTH COUNT`. One thread, links and breadths of
the build as their authors recommend for recall: 32 links a row, breadth 200.
"""

import json
import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np

K, LINKS, BREADTH = 10, 32, 200


class Hnswlib:
    def __init__(self, dimension):
        import hnswlib

        self.index = hnswlib.Index("ip", dimension)

    def build(self, base):
        self.index.init_index(len(base), M=LINKS // 2, ef_construction=BREADTH, random_seed=1)
        self.index.add_items(base, num_threads=1)

    def save(self, path):
        self.index.save_index(path)

    def open(self, path):
        self.index.load_index(path)

    def search(self, queries, breadth):
        self.index.set_ef(breadth)
        return self.index.knn_query(queries, k=K, num_threads=1)[0]


class Faiss:
    def __init__(self, dimension):
        import faiss

        self.faiss, self.dimension = faiss, dimension
        faiss.omp_set_num_threads(1)

    def build(self, base):
        self.index = self.faiss.IndexHNSWFlat(self.dimension, LINKS // 2, self.faiss.METRIC_INNER_PRODUCT)
        self.index.hnsw.efConstruction = BREADTH
        self.index.add(base)

    def save(self, path):
        self.faiss.write_index(self.index, path)

    def open(self, path):
        self.index = self.faiss.read_index(path)

    def search(self, queries, breadth):
        return self.index.search(queries, K, params=self.faiss.SearchParametersHNSW(efSearch=breadth))[1]


class Usearch:
    def __init__(self, dimension):
        from usearch.index import Index

        settings = {"metric": "ip", "dtype": "f16", "connectivity": LINKS // 2, "expansion_add": BREADTH}
        self.index = Index(ndim=dimension, **settings)

    def build(self, base):
        self.index.add(np.arange(len(base)), base, threads=1)

    def save(self, path):
        self.index.save(path)

    def open(self, path):
        self.index.view(path)

    def search(self, queries, breadth):
        self.index.expansion_search = breadth
        return self.index.search(queries, K, threads=1).keys


class Vsag:
    def __init__(self, dimension):
        import pyvsag

        pyvsag.set_logger_off()
        self.dimension = dimension
        parameters = {"base_quantization_type": "sq8_uniform", "max_degree": LINKS, "ef_construction": BREADTH}
        parameters |= {"use_reorder": True, "precise_quantization_type": "fp32", "build_thread_count": 1}
        settings = {"dtype": "float32", "metric_type": "ip", "dim": dimension, "index_param": parameters}
        self.index = pyvsag.Index("hgraph", json.dumps(settings))

    def build(self, base):
        ids = np.arange(len(base), dtype=np.int64)
        self.index.build(vectors=base, ids=ids, num_elements=len(base), dim=self.dimension)

    def save(self, path):
        self.index.save(filename=path)

    def open(self, path):
        self.index.load(filename=path)

    def search(self, queries, breadth):
        parameters = json.dumps({"hgraph": {"ef_search": breadth}})
        return np.array([self.index.knn_search(vector=q, k=K, parameters=parameters)[0] for q in queries])


class SymphonyQg:
    def __init__(self, dimension):
        import rabitqlib

        self.library = rabitqlib
        self.index = rabitqlib.SymqgIndex(dimension, LINKS, metric="ip", quantization_bits=0)

    def build(self, base):
        self.index.build(base, BREADTH, num_threads=1)

    def save(self, path):
        self.index.save(path)

    def open(self, path):
        self.index = self.library.SymqgIndex.load(path)

    def search(self, queries, breadth):
        first, second = self.index.search(queries, K, breadth, num_threads=1)
        return first if first.dtype.kind in "iu" else second


class QdrantEdge:
    def __init__(self, dimension):
        import qdrant_edge

        self.edge = qdrant_edge
        links = qdrant_edge.HnswIndexConfig(m=LINKS // 2, ef_construct=BREADTH, full_scan_threshold=10)
        vectors = qdrant_edge.EdgeVectorParams(size=dimension, distance=qdrant_edge.Distance.Dot, hnsw_config=links)
        self.config = qdrant_edge.EdgeConfig(vectors={"": vectors})

    def prepare(self, path):
        # A shard is a folder, and is filled where it lies.
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        self.index = self.edge.EdgeShard.create(str(path), self.config)

    def build(self, base):
        edge = self.edge
        for start in range(0, len(base), 1000):
            rows = enumerate(base[start : start + 1000].tolist(), start)
            points = [edge.Point(id=row, vector={"": vector}, payload={}) for row, vector in rows]
            self.index.update(edge.UpdateOperation.upsert_points(points))
        self.index.optimize()

    def save(self, path):
        self.index.flush()
        self.index.close()

    def open(self, path):
        self.index = self.edge.EdgeShard.load(str(path))

    def search(self, queries, breadth):
        edge, parameters = self.edge, self.edge.SearchParams(hnsw_ef=breadth, exact=False)
        ask = lambda q: edge.SearchRequest(query=edge.Query.Nearest(q.tolist(), using=""), limit=K, params=parameters)
        return np.array([[hit.id for hit in self.index.search(ask(query))] for query in queries])


ENGINES = {"qdrant-edge": QdrantEdge, "hnswlib": Hnswlib, "faiss": Faiss, "usearch-f16": Usearch, "vsag-sq8": Vsag, "symphonyqg": SymphonyQg}


def say(**line):
    print(json.dumps(line), flush=True)


def size(path):
    """The bytes of a file, or of all files in a folder."""
    files = [path] if os.path.isfile(path) else [file for file in Path(path).rglob("*") if file.is_file()]
    return sum(os.path.getsize(file) for file in files)


def build(engine, vectors, dimension, path):
    base = np.fromfile(vectors, np.float32).reshape(-1, dimension)
    engine = ENGINES[engine](dimension)
    if hasattr(engine, "prepare"):
        engine.prepare(path)
    start = time.process_time()
    engine.build(base)
    cpu = time.process_time() - start
    engine.save(path)
    say(cpu=cpu, bytes_per_vector=size(path) / len(base))


def serve(engine, path, queries, dimension):
    queries = np.fromfile(queries, np.float32).reshape(-1, dimension)
    engine = ENGINES[engine](dimension)
    start = time.perf_counter()
    engine.open(path)
    say(open_ms=(time.perf_counter() - start) * 1e3)
    for line in sys.stdin:
        request, breadth, count = line.split()
        found = engine.search(np.resize(queries, (int(count), dimension)), int(breadth))
        say(**({"ids": np.asarray(found).tolist()} if request == "answers" else {}))


def main():
    match sys.argv[1:]:
        case ["build", engine, vectors, dimension, path]:
            build(engine, vectors, int(dimension), path)
        case ["serve", engine, path, queries, dimension]:
            serve(engine, path, queries, int(dimension))
        case _:
            raise SystemExit(__doc__)


main()
