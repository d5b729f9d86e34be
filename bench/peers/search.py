"""faiss and usearch on the vectors of bench/search: FOLDER SIZE RECALL BREADTHS."""
import json
import sys
import time

import faiss
import numpy as np
from usearch.index import Index

folder, size, wanted, breadths = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
vectors = np.fromfile(f"{folder}/vectors.f32", dtype=np.float32).reshape(size, -1)
queries = np.fromfile(f"{folder}/queries.f32", dtype=np.float32).reshape(-1, vectors.shape[1])
truth = [set(keys) for keys in json.load(open(f"{folder}/truth.json"))]
PAGE, TOP = 20, 10


def report(name, build, search):
    started = time.perf_counter()
    build()
    print(f"search.n{size}.{name}.insert: {size / (time.perf_counter() - started):.0f} vectors/s", flush=True)
    for breadth in map(int, breadths.split(",")):
        times, found = [], 0
        for query, nearest in zip(queries, truth):
            start = time.perf_counter()
            keys = search(query, breadth)
            times.append(time.perf_counter() - start)
            found += len(nearest.intersection(int(key) for key in keys[:TOP]))
        recall = found / len(truth) / TOP
        if recall >= wanted:
            break
    print(f"search.n{size}.{name}.p50: {np.median(times) * 1000:.2f} ms")
    print(f"search.n{size}.{name}.recall10: {recall:.3f}")


graph = faiss.IndexHNSWFlat(vectors.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
graph.hnsw.efConstruction = 100


def search_faiss(query, breadth):
    graph.hnsw.efSearch = breadth
    return graph.search(query[None], PAGE)[1][0]


report("faiss", lambda: graph.add(vectors), search_faiss)

index = Index(ndim=vectors.shape[1], metric="ip", dtype="f32", connectivity=16, expansion_add=100)


def search_usearch(query, breadth):
    index.expansion_search = breadth
    return index.search(query, PAGE).keys


report("usearch", lambda: index.add(np.arange(size), vectors), search_usearch)
