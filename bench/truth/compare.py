"""Compares what vllmgo reports on random journals with the reference; see `make truth`.

It reads the output of the Go program in this folder from stdin and prints each difference: journal, row, column
and both values. It exits with 1 when there are any.
"""

import csv
import io
import json
import re
import sys
from collections import Counter
from itertools import groupby

import numpy as np

import reference as ref

# The p-value of the dip is simulated on both sides, here with so many samples.
DIP_SAMPLES = 1000

# How far a printed number can be from the true one.
HALF_A_MICROSECOND = 0.5000001e-6
HALF_A_THOUSANDTH = 0.5000001e-3


class Checker:
    def __init__(self):
        self.counts = Counter()
        self.differences = 0

    def row(self, *place):
        self.place = " ".join(map(str, place))

    def same(self, column, got, want, tolerance=0.0):
        """got is vllmgo's, want the reference's."""
        self.counts[column] += 1
        if isinstance(want, float) or isinstance(got, float):
            same = got is not None and abs(got - want) <= tolerance
        else:
            same = got == want
        if not same:
            self.differences += 1
            if self.differences <= 50:
                print(f"{self.place}, {column}: vllmgo {got!r}, reference {want!r}")

    def close(self, column, got, want, relative=1e-9):
        self.same(column, got, float(want), relative * abs(want) + 1e-12)

    def ns(self, column, got, want, steps=1):
        """A time that was cut off to a nanosecond in so many steps."""
        self.same(column, got, float(want), steps + 1e-12 * abs(want))


    def four(self, column, text, want, relative=0.0):
        """A number that was printed with four digits or more; empty for 0."""
        digit = 10.0 ** (np.floor(np.log10(abs(want))) - 3) if want else 0.0
        self.same(column, float(text or 0), float(want), digit / 2 + (relative + 1e-9) * abs(want))


def compare_run(check, run):
    records = [(k, v) for record in run["Records"] for k, v in record.items()]
    header = records[0][1]
    of_point = lambda kind, p: [v for k, v in records if k == kind and v["value"] == p["value"]]
    engines = [v for k, v in records if k == "engine"]
    limits = next(v for k, v in records if k == "limits")
    rows = run["Results"]["studies"][0]["rows"]
    table = list(csv.DictReader(io.StringIO(run["CSV"][0])))
    points = header["studies"][0]["points"]
    assert len(rows) == len(points) == len(table)
    rates = []
    for point, row, line in zip(points, rows, table):
        check.row("journal", run["Seed"], "row", point["value"])
        trials = of_point("trial", point)
        others, before = shared(header, point, [v for k, v in records if k == "trial"])
        figures = compare_row(check, point, row, trials, others)
        reason = ref.stopped([t["elapsed_ns"] for t in trials], before, header["stopping"], bool(of_point("done", point)))
        check.same("stopped", row.get("stopped", ""), reason)
        rates.append((point["value"], *figures))
        compare_machine(check, header, point, row, trials, engines, limits)
        cold = of_point("warm_up", point)[0]["passes_ns"][0]
        check.ns("cold", row["cold"]["elapsed_ns"], cold)
        check.close("start_up", row["cold"]["start_up"], 1 - ref.estimate([t["elapsed_ns"] for t in trials])[0] / cold, 1e-6)
        passes = of_point("latency", point)
        if passes:
            compare_latency(check, header, point, row["latency"], passes, trials)
        compare_csv(check, row, line, trials)
    check.row("journal", run["Seed"], "finding")
    compare_dips(check, run["Results"]["studies"][0].get("finding", ""), rates)


def shared(header, point, trials):
    """The times of the other points, all on one engine: all, and those until the point's last trial."""
    if not header["stopping"].get("pooled"):
        return [], []
    others = [p["value"] for p in header["studies"][0]["points"] if p != point]
    last = max(i for i, t in enumerate(trials) if t["value"] == point["value"])
    return tuple([[t["elapsed_ns"] for t in some if t["value"] == v] for v in others] for some in (trials, trials[:last]))


def compare_row(check, point, row, trials, others):
    """The trials' statistics and the rates. It returns the generated rate with its interval, which has no ends below 95 %."""
    times = [t["elapsed_ns"] for t in trials]
    middle, low, high, confidence = ref.estimate(times, others)
    check.same("trials", row["elapsed"]["n"], len(times))
    check.ns("elapsed", row["elapsed"]["value_ns"], middle)
    check.same("elapsed_low", row["elapsed"]["low_ns"], low)
    check.same("elapsed_high", row["elapsed"]["high_ns"], high)
    check.close("confidence", row["elapsed"]["confidence"], confidence)

    correlation, pairs, seen, independent = ref.dependence(times, others)
    check.close("correlation", row["dependence"]["correlation"], correlation)
    check.close("pairs", row["dependence"]["pairs"], pairs)
    check.same("independent", row["dependence"]["independent"], independent)
    check.same("dependence note", any("depend on the ones before" in n for n in row.get("notes", [])), seen)

    change, p = ref.trend(times)
    check.close("drift", row["trend"]["change"], change, 1e-9 + 1 / middle)
    check.close("drift_p", row["trend"]["p"], p)
    notes = " ".join(row.get("notes", []))
    check.same("drift note", "drift" in notes, len(times) >= 6 and p <= 0.01)

    dip = ref.dip(times)
    check.close("dip", row["modes"]["dip"], dip, 1e-8)
    simulated = ref.uniform_dips(len(times), DIP_SAMPLES)
    p = float(np.mean(simulated >= dip - 1e-9))
    # Five standard errors of the difference of two simulations.
    error = 5 * np.sqrt(2 * max(p * (1 - p), 1 / DIP_SAMPLES) / DIP_SAMPLES) + 1 / DIP_SAMPLES
    check.same("dip_p", row["modes"]["p"], p, error)
    check.same("modes note", "more than one mode" in notes, row["modes"]["p"] <= 0.01)
    check.same("outliers", [int(n) for n in re.findall(r"outlier: trial (\d+)", notes)], ref.outliers(times))

    inputs, outputs = ref.tokens(point)
    check.close("generated_tokens_per_s", row["generated_tokens_per_second"], outputs / middle * 1e9, 1e-6 + 1 / middle)
    check.close("total_tokens_per_s", row["total_tokens_per_second"], (inputs + outputs) / middle * 1e9, 1e-6 + 1 / middle)
    if confidence < 0.95:  # too few trials for a finding
        return outputs / middle, 0, np.inf
    return outputs / middle, outputs / high, outputs / low


def compare_machine(check, header, point, row, trials, engines, limits):
    """The speed of light, energy, KV cache and the checks."""
    engine = engines[0]
    elapsed = ref.estimate([t["elapsed_ns"] for t in trials])[0]
    memory, arithmetic = ref.light(point, engine, header, limits)
    check.ns("light_memory", row["light"]["memory_ns"], memory)
    check.ns("light_arithmetic", row["light"]["arithmetic_ns"], arithmetic)
    check.close("light_share", row["light"]["share"], max(memory, arithmetic) / elapsed, 2 / max(memory, arithmetic) + 1 / elapsed)
    faster = any("faster than the speed of light" in n for n in row.get("notes", []))
    check.same("light note", faster, max(memory, arithmetic) > 1.05 * elapsed)
    check.close("joules_per_token", row.get("joules_per_token", 0), ref.joules_per_token(point, trials))
    peak = ref.peak_kv(point, engine["info"]["max_num_seqs"], engine["info"]["block_size"])
    check.same("peak_kv_tokens", row["peak_kv_tokens"], peak)

    passed = {c["name"]: c["passed"] for c in row["checks"]}
    cores = header["machine"]["cores"]
    check.same("check preemption", passed["preemption"], peak <= engine["info"]["kv_cache_tokens"])
    check.same("check other load", passed["other load"], ref.other_load(trials, engines[:1], cores, 1))
    for name in "prompts", "counts", "finish reason", "prefix cache", "one engine":
        check.same("check " + name, passed[name], True)


def compare_latency(check, header, point, row, passes, trials):
    check.same("latency requests", row["requests"], point["requests"] * len(passes))
    for name, sample in ref.latencies(point, passes).items():
        if not sample:  # there is no such figure
            check.same(f"{name} p50", (row.get(name) or {}).get("p50_ns", 0), 0)
            continue
        for q, want in zip((50, 90, 95, 99), ref.percentiles(sample)):
            check.ns(f"{name} p{q}", row[name][f"p{q}_ns"], want, 2 if name == "tpot" else 1)
        bins = {b["low_ns"]: b["count"] for b in row[name]["histogram"] or []}
        check.same(f"{name} histogram", bins, ref.histogram(sample))
    good, rate = ref.goodput(point, passes, header.get("goodput", {}))
    check.close("good", row["good"], good)
    check.close("good_per_second", row["good_per_second"], rate)
    check.close("slowdown", row["slowdown"], ref.slowdown(passes, trials), 1e-3)
    ordered = sorted(passes, key=lambda p: p["elapsed_ns"])
    check.close("running", row["running"], ref.running(ordered[(len(ordered) - 1) // 2]))


def compare_csv(check, row, line, trials):
    """The file's columns are the values of results.json, which were compared, rounded."""
    seconds = {
        "elapsed_s": row["elapsed"]["value_ns"],
        "elapsed_low_s": row["elapsed"]["low_ns"],
        "elapsed_high_s": row["elapsed"]["high_ns"],
        "elapsed_min_s": min(t["elapsed_ns"] for t in trials),
        "elapsed_max_s": max(t["elapsed_ns"] for t in trials),
        "outside_generate_s": float(np.median([t["outside_ns"] for t in trials])),
        "cold_s": row["cold"]["elapsed_ns"],
        "light_memory_s": row["light"]["memory_ns"],
        "light_arithmetic_s": row["light"]["arithmetic_ns"],
    }
    for column, ns in seconds.items():
        check.same("CSV " + column, float(line[column]), ns / 1e9, HALF_A_MICROSECOND)
    for column, name in ("generated_tokens_per_s", "generated_tokens_per_second"), ("total_tokens_per_s", "total_tokens_per_second"):
        check.same("CSV " + column, float(line[column]), row[name], HALF_A_THOUSANDTH)
    four_digits = {
        "confidence": row["elapsed"]["confidence"],
        "drift": row["trend"]["change"],
        "drift_p": row["trend"]["p"],
        "dip": row["modes"]["dip"],
        "dip_p": row["modes"]["p"],
        "start_up": row["cold"]["start_up"],
        "light_share": row["light"]["share"],
        "joules_per_token": row.get("joules_per_token", 0),
    }
    for column, value in four_digits.items():
        check.four("CSV " + column, line[column], value)
    check.same("CSV peak_kv_tokens", line["peak_kv_tokens"], str(row["peak_kv_tokens"]))
    check.same("CSV trials", line["trials"], str(row["elapsed"]["n"]))
    check.same("CSV stopped", line["stopped"], row.get("stopped", ""))


def compare_dips(check, finding, rates):
    found = re.search(r"Dips,[^:]*: (.*?)\.(?: [A-Z]|$)", finding)
    got = re.findall(r"(\d+) \([\d.]+ % below", found[1]) if found else []
    check.same("dips", got, [str(value) for value in ref.dips(rates)])


def compare_pair(check, pair):
    first, second = pair["Runs"]
    times, estimates = [], []
    for run in first, second:
        trials = [r["trial"] for r in run["Records"] if "trial" in r]
        of = {v: [t["elapsed_ns"] for t in group] for v, group in groupby(trials, key=lambda t: t["value"])}
        header = run["Records"][0]["header"]
        times.append(of)
        estimates.append(
            {p["value"]: ref.estimate(of[p["value"]], shared(header, p, trials)[0]) for p in header["studies"][0]["points"]}
        )
    points = pair["Comparison"]["points"]
    check.row("journals", first["Seed"], "and", second["Seed"])
    check.same("points compared", [p["point"]["value"] for p in points], list(times[0]))
    for point in points:
        value = point["point"]["value"]
        check.row("journals", first["Seed"], "and", second["Seed"], "row", value)
        a, b = times[0][value], times[1][value]
        p = ref.rank_test(a, b)
        check.close("compare p", point["p"], p)
        check.same("compare differ", point["differ"], p <= 0.01)
        middles = [e[value][0] for e in estimates]
        check.close("compare ratio", point["ratio"], middles[1] / middles[0], 1e-9 + 1 / middles[0] + 1 / middles[1])
        low, high = ref.ratio_interval(a, b) or (0, 0)
        check.close("compare low", point.get("low", 0), low)
        check.close("compare high", point.get("high", 0), high)
    if pair["Scaling"]:
        compare_scaling(check, pair, estimates)


def compare_scaling(check, pair, estimates):
    sizes = [run["Records"][0]["header"]["engine_args"]["tensor_parallel_size"] for run in pair["Runs"]]
    values = [p["value"] for p in pair["Runs"][0]["Records"][0]["header"]["studies"][0]["points"]]
    lines = list(csv.DictReader(io.StringIO(pair["Scaling"])))
    check.row("journals", pair["Runs"][0]["Seed"], "and", pair["Runs"][1]["Seed"], "scaling")
    check.same("scaling rows", len(lines), 2 * len(values))
    for value, group in zip(values, zip(lines[::2], lines[1::2])):
        rows = [(size, e[value]) for size, e in zip(sizes, estimates)]
        for line, row in zip(group, rows):
            check.row("journals", pair["Runs"][0]["Seed"], "and", pair["Runs"][1]["Seed"], "scaling", value, "TP", row[0])
            check.same("scaling tp", line["tensor_parallel_size"], str(row[0]))
            for column, want in zip(("speedup", "speedup_low", "speedup_high", "efficiency"), ref.speedup(row, rows[0])):
                check.four("scaling " + column, line[column], want, 1 / row[1][0] + 1 / rows[0][1][0])


def main():
    check = Checker()
    pairs = 0
    for line in sys.stdin:
        pair = json.loads(line)
        for run in pair["Runs"]:
            compare_run(check, run)
        compare_pair(check, pair)
        pairs += 1
    total = sum(check.counts.values())
    print(f"{2 * pairs} journals, {total} figures of {len(check.counts)} kinds compared, {check.differences} differ")
    if check.differences or not pairs:
        sys.exit(1)


if __name__ == "__main__":
    main()
