"""The figures of docs/benchmarking.md once more, written from that page and not from the Go code.

Each function is named after the figure and cites the page's section. Times are in nanoseconds.
"""

from fractions import Fraction
from functools import lru_cache
from math import ceil, comb, floor, sqrt
from statistics import median as exact_median

import numpy as np
from scipy import stats


# --- Statistics -------------------------------------------------------------------------------------------


def cover(n, k):
    """Median and interval: 1 - 2 P(Binomial(n, 1/2) <= k-1)."""
    return 1 - 2 * sum(comb(n, i) for i in range(k)) / 2**n


def interval(times, independent):
    """Median and interval, of times that say as much as so many independent ones.

    A single trial has no interval: its confidence is 0.
    """
    x, n, m = sorted(times), len(times), independent
    middle = float(exact_median(x))
    rank = max((k for k in range(1, m // 2 + 1) if cover(m, k) >= 0.95), default=None)
    if rank is None:
        return middle, x[0], x[-1], 1 - 2.0 ** (1 - m)
    k = floor(Fraction(2 * rank - 1, 2) * n / m + Fraction(1, 2))
    return middle, x[k - 1], x[n - k], cover(m, rank)


def dependence(times, others=()):
    """Dependence: the correlation of neighbours, the pairs that it is from, whether it is seen, and how many
    independent trials say as much. others are the times of the points that share the engine.
    """
    series = [np.array(s, float) for s in (times, *others) if len(s)]
    pairs = sum(len(s) - 1 for s in series)
    ranks = stats.rankdata(np.concatenate([s / float(exact_median(s)) for s in series]))
    ranks = np.split(ranks, np.cumsum([len(s) for s in series])[:-1])
    d = [r - r.mean() for r in ranks]
    squares = sum(float(x @ x) for x in d)
    r = 0.0
    if squares:
        products = [x[:-1] * x[1:] for x in d]
        r = sum(p.sum() for p in products) / squares + sum(1 - 1 / len(s) for s in series) / pairs
        pairs /= design_effect(products)
    deviation = 1 / sqrt(pairs + 1)
    rho = min(max(r + deviation / 2, 0), 0.95)
    n = len(times)
    return r, pairs, r > 1.645 * deviation, max(1, floor(n * (1 - rho) / (1 + rho)))


def design_effect(products):
    """Dependence: how much the products of neighbours vary by rounds, against that if rounds did not matter."""
    table = np.full((len(products), max(map(len, products))), np.nan)
    for row, p in zip(table, products):
        row[: len(p)] = p
    table -= np.nanmean(table)
    apart = np.nansum(table**2)
    return max(1.0, np.sum(np.nansum(table, axis=0) ** 2) / apart) if apart else 1.0


def estimate(times, others=()):
    """The median and interval of a point: that of independent trials, unless a dependence is seen."""
    _, _, seen, independent = dependence(times, others)
    return interval(times, independent if seen else len(times))


def inversions(groups):
    """The number of arrangements of values in tied groups with 0, 1, 2, ... inversions."""
    counts, n = [1], 0
    for size in groups:
        # Merging size equal values into n others: Gauss's binomial coefficient, by long division.
        for i in range(1, size + 1):
            counts = divide(times_one_minus(counts, n + i), i)
        n += size
    return counts


def times_one_minus(p, k):
    """p(q) (1 - q^k)"""
    result = p + [0] * k
    for i, c in enumerate(p):
        result[i + k] -= c
    return result


def divide(p, k):
    """p(q) / (1 - q^k), which is exact"""
    result = list(p)
    for i in range(k, len(result)):
        result[i] += result[i - k]
    while result and result[-1] == 0:
        result.pop()
    return result


@lru_cache(maxsize=None)
def kendall_tail(groups, s):
    """P(|S| >= |s|) for the Mann-Kendall S of values in tied groups, in random order."""
    counts = inversions(groups)
    pairs = len(counts) - 1  # those of unequal values
    extreme = sum(c for i, c in enumerate(counts) if abs(pairs - 2 * i) >= abs(s))
    return extreme / sum(counts)


def trend(times):
    """Drift: Mann-Kendall's p, and Theil-Sen's slope times n - 1, as a share of the median."""
    n = len(times)
    if n < 2:
        return 0.0, 1.0
    s = sum(int(np.sign(times[j] - times[i])) for i in range(n) for j in range(i + 1, n))
    groups = tuple(sorted(times.count(v) for v in set(times)))
    slope = stats.theilslopes(times, np.arange(n))[0]
    return slope * (n - 1) / float(exact_median(times)), kendall_tail(groups, s)


def dip(times):
    """More modes than one: the least distance, over all unimodal distributions, of their distribution
    function from that of the times; at least 1/(2n), as Hartigans' algorithm has it.

    A unimodal distribution function is convex up to its mode and concave after it. The best mode is one of
    the times. Left of it the function lies between F(x) - d and F(x-) + d, and a convex one does so when each
    lower bound lies below all chords of the upper bounds. The right side is the left side's mirror image.
    """
    n = len(times)
    x, repeats = np.unique(np.asarray(times, float), return_counts=True)
    above = np.cumsum(repeats) / n
    left = Side(x, above - repeats / n, above)
    right = Side(-x[::-1], (1 - above)[::-1], (1 - above + repeats / n)[::-1])
    best, alone = np.inf, np.maximum(left.alone, right.alone[::-1])
    for m in np.argsort(alone):
        mirror = len(x) - 1 - m
        low = alone[m]
        if low >= best:
            break

        def fits(d):
            # The two sides meet at the mode, where the function may jump, but only up.
            return left.end(m, d) <= 1 - right.end(mirror, d) + 1e-12

        high = 1.0
        if fits(low):
            high = low
        while high - low > 1e-12:
            middle = (low + high) / 2
            low, high = (low, middle) if fits(middle) else (middle, high)
        best = min(best, high)
    return max(best, 1 / (2 * n))


class Side:
    """A distribution left of a mode: what a convex function within d of it can do.

    before and after are the distribution function just left of each x and at it.
    """

    def __init__(self, x, before, after):
        self.x, self.before, self.after = x, before, after
        k = len(x)
        # alone[m] is the least d for the points left of x[m], and the limit from the left at x[m].
        self.alone = np.zeros(k)
        for m in range(1, k):
            # Chords from each i < j to the newest upper bound, at m.
            i, j = self.pairs(m)
            chord = before[i] + (before[m] - before[i]) * (x[j] - x[i]) / (x[m] - x[i])
            gap = np.max(after[j] - chord, initial=0)
            rise = after[m - 1] - before[m]  # it does not fall
            jump = after[m - 1] - before[m - 1]  # it is continuous left of the mode
            self.alone[m] = max(self.alone[m - 1], gap / 2, rise / 2, jump / 2)

    @staticmethod
    def pairs(m):
        return np.triu_indices(m, 1)

    def end(self, m, d):
        """The least that the function can be just left of x[m]."""
        i, j = self.pairs(m)
        x, upper, lower = self.x, self.before + d, self.after - d
        steepest = lower[j] + (lower[j] - upper[i]) * (x[m] - x[j]) / (x[j] - x[i])
        ends = (0, self.before[m] - d, np.max(lower[:m], initial=0), np.max(steepest, initial=0))
        return max(ends)


@lru_cache(maxsize=None)
def uniform_dips(n, samples):
    random = np.random.default_rng(n)
    return np.sort([dip(random.random(n)) for _ in range(samples)])


def outliers(times):
    """Outliers: the numbers, from 1, of trials more than three interquartile ranges outside the quartiles."""
    low, high = np.percentile(times, [25, 75])
    far = 3 * (high - low)
    return [i + 1 for i, t in enumerate(times) if t < low - far or t > high + far]


# The bits of a coefficient: no number of ways to choose among 100 values has more.
BITS = 100


@lru_cache(maxsize=None)
def rank_sums(groups, m):
    """The number of ways in which m of the values, in tied groups in ascending order, have a U of 0, 1/2, 1, ...

    U counts the pairs in which the taken value is the larger, ties as a half.
    """
    # ways[k] is a polynomial in q^2U for k taken values, a large integer with BITS bits a coefficient.
    ways, seen = [1] + [0] * m, 0
    for size in groups:
        more = [0] * (m + 1)
        for taken, polynomial in enumerate(ways):
            for k in range(min(size, m - taken) + 1 if polynomial else 0):
                twice_u = 2 * k * (seen - taken) + k * (size - k)
                more[taken + k] += comb(size, k) * polynomial << BITS * twice_u
        ways = more
        seen += size
    most = 2 * m * (seen - m)
    return [ways[m] >> BITS * u & (1 << BITS) - 1 for u in range(most + 1)]


def rank_test(first, second):
    """Two samples: Mann-Whitney's exact p, two-sided, from the distribution with the ties at hand."""
    both = first + second
    groups = tuple(both.count(v) for v in sorted(set(both)))
    u = sum(2 * (a > b) + (a == b) for a in first for b in second)
    ways = rank_sums(groups, len(first))
    return min(1, 2 * min(sum(ways[: u + 1]), sum(ways[u:])) / sum(ways))


def ratio_interval(first, second):
    """Two samples: the test's 99 % interval of the ratio; None when there are too few for any."""
    m, n = len(first), len(second)
    ways = rank_sums((1,) * (m + n), m)
    total, below, k = comb(m + n, m), 0, 0
    # The interval from the k-th smallest covers with 1 - 2 P(U <= k-1).
    while True:
        below += ways[2 * k]
        if 1 - 2 * below / total < 0.99:
            break
        k += 1
    if k == 0:
        return None
    ratios = sorted(b / a for a in first for b in second)
    return ratios[k - 1], ratios[-k]


def stopped(times, others, rule, out_of_budget):
    """Trials: why a point has no more of them. The cautious interval has the dependence in it, seen or not.

    others are the times, until the point's last trial, of the points that share its engine.
    """
    _, pairs, _, independent = dependence(times, others)
    middle, low, high, confidence = interval(times, independent if rule.get("dependence") else len(times))
    half = rule["target"] * middle
    if len(times) >= rule["min_trials"] and confidence >= 0.95 and middle - low <= half and high - middle <= half:
        told = pairs >= 48 or not rule.get("pooled")
        return "target reached" if told else "target reached if trials are independent"
    if len(times) >= rule["max_trials"]:
        return "most trials reached"
    return "budget spent" if out_of_budget else ""


# --- The point --------------------------------------------------------------------------------------------


def lengths(point):
    if point.get("lengths"):
        return [tuple(pair) for pair in point["lengths"]]
    return [(point["input_len"], point["output_len"])] * point["requests"]


def completions(point):
    return point.get("set", {}).get("sampling", {}).get("n", 1)


def tokens(point):
    """What is timed: input and generated tokens of all requests."""
    each = lengths(point)
    return sum(i for i, _ in each), sum(o for _, o in each) * completions(point)


def peak_kv(point, max_num_seqs, block):
    """Checks, preemption."""
    each = [ceil((i + o) / block) * block for i, o in lengths(point) for _ in range(completions(point))]
    return sum(sorted(each, reverse=True)[:max_num_seqs])


def light(point, engine, header, limits):
    """The speed of light: the times of the memory and of the arithmetic."""
    config, size, each, n = header["model_config"], header["model_size"], lengths(point), completions(point)
    info = engine["info"]
    seqs, batched = info["max_num_seqs"], info["max_num_batched_tokens"]
    b = config["DtypeBytes"]
    k = 2 * config["NumLayers"] * config["NumKVHeads"] * config["HeadDim"] * b
    computed = sum(i + n * (o - 1) for i, o in each)
    generated = sum(n * o for _, o in each)
    steps = max(max(o for _, o in each), generated / seqs, computed / batched)
    context = sum(n * (o - 1) * (i + o / 2) for i, o in each)
    moved = steps * (size["layers"] + size["head"]) * b + context * k
    attended = sum(i * (i + 1) / 2 for i, _ in each) + context
    operations = (
        2 * size["layers"] * computed
        + 2 * size["head"] * generated
        + 4 * config["NumLayers"] * config["NumAttentionHeads"] * config["HeadDim"] * attended
    )
    devices = 1
    if info["device"] != "cpu":
        devices = info["tensor_parallel_size"] * engine["args"].get("pipeline_parallel_size", 1)
    return moved / limits["bandwidth"] / devices * 1e9, operations / limits["flops"] / devices * 1e9


def joules_per_token(point, trials):
    """What the machine did: the median energy of the engine's GPUs for each generated token.

    It is 0 without trials in which each GPU's counter went on.
    """
    trials = [[g.get("energy_j", 0) for g in t["usage"].get("gpus", [])] for t in trials]
    known = [sum(gpus) for gpus in trials if gpus and all(gpus)]
    return float(np.median(known)) / tokens(point)[1] if known else 0.0


# --- Latencies --------------------------------------------------------------------------------------------


def percentiles(values):
    return np.percentile(values, [50, 90, 95, 99])


def histogram(values):
    """Latencies: ten bins a decade from 1 ns, by their lower ends. A time below 1 ns is in the first bin."""
    bins = {}
    for value in values:
        bin = np.floor(10 * np.log10(max(value, 1)) + 1e-9)
        low = ceil(10 ** (bin / 10))
        bins[low] = bins.get(low, 0) + 1
    return bins


def latencies(point, passes):
    """The samples of the table's rows, in nanoseconds."""
    requests = timed_requests(point, passes)
    return {
        "queue": [r["queue_ns"] for r, _ in requests],
        "ttft": [r["ttft_ns"] for r, _ in requests],
        "itl": [gap for r, _ in requests for gap in r["itl_ns"] or []],
        "tpot": [tpot(r, output) for r, output in requests if output >= 2],
        "e2e": [r["e2e_ns"] for r, _ in requests],
    }


def timed_requests(point, passes):
    """The requests of all passes, each with its output length."""
    return [(r, output) for p in passes for r, (_, output) in zip(p["requests"], lengths(point), strict=True)]


def tpot(request, output):
    return (request["e2e_ns"] - request["ttft_ns"]) / (output - 1)


def goodput(point, passes, limits):
    """Goodput: the share of good requests, and good requests a second."""
    requests = timed_requests(point, passes)

    def keeps(r, output):
        values = {"ttft_ns": r["ttft_ns"], "e2e_ns": r["e2e_ns"]}
        if output >= 2:
            values["tpot_ns"] = tpot(r, output)
        return all(value <= (limits.get(name) or np.inf) for name, value in values.items())

    good = sum(keeps(*r) for r in requests)
    return good / len(requests), good / sum(p["elapsed_ns"] for p in passes) * 1e9


def slowdown(passes, trials):
    """Latencies: the median time of these passes against that of the trials."""
    return float(np.median([p["elapsed_ns"] for p in passes])) / float(exact_median([t["elapsed_ns"] for t in trials])) - 1


def running(one):
    """Dips: how many requests ran on average in a pass."""
    return sum(r["e2e_ns"] - r["queue_ns"] for r in one["requests"]) / one["elapsed_ns"]


# --- Findings and checks ----------------------------------------------------------------------------------


def dips(rows):
    """Dips: points more than 5 % below the point before, beyond the intervals of both."""
    found = []
    for (_, before, before_low, _), (name, rate, _, rate_high) in zip(rows, rows[1:]):
        if rate < 0.95 * before and rate_high < before_low:
            found.append(name)
    return found


def other_load(trials, engines, cores, first):
    """Checks, other load."""
    too_short = all(t["usage"].get("short") for t in trials)
    return all(
        t["usage"]["other_cores"] < 0.05 * cores
        and t["usage"]["steal"] < 0.01
        and t["usage"].get("throttled", 0) < 0.01
        and not any(g.get("other_processes", 0) for g in t["usage"].get("gpus", []))
        for t in trials
    ) and not any(
        e.get("other_gpu_processes", 0)
        or too_short and e["engine"] == first and e.get("other_load_average", 0) > cores / 2
        for e in engines
    )


def speedup(row, smallest):
    """Scaling: the speed-up, its range, and the efficiency. Rows are (TP, estimate)."""
    (tp, mine), (base_tp, base) = row, smallest
    if tp == base_tp:
        return 1.0, 1.0, 1.0, 1.0
    ratio = base[0] / mine[0]
    return ratio, base[1] / mine[2], base[2] / mine[1], ratio / (tp / base_tp)
