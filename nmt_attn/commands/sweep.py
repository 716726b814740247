"""`nmt-attn sweep`: trains every setting of a sweep with every seed, and compares them in one table."""

import sys

import typer

from nmt_attn.experiments.jobs import require_all
from nmt_attn.experiments.outputs import format_rows, sorted_rows, write_outputs
from nmt_attn.experiments.plan import Plan, read_plan
from nmt_attn.experiments.results import setting_rows, trial_results
from nmt_attn.experiments.run_state import is_finished, progress_of
from nmt_attn.experiments.slots import choose_slots
from nmt_attn.experiments.sweep import LOGS, is_done, members_of, run_sweep
from nmt_attn.options.training import SweepOptions
from nmt_attn.screen import width_of


def sweep(options: SweepOptions) -> None:
    """Goes on with the sweep to its end and prints the table. Raises UserError."""
    plan = read_plan(options.sweep)
    if options.dry_run:
        show_plan(plan)
    else:
        work(plan, options.jobs, options.threads)


def show_plan(plan: Plan) -> None:
    """Prints every run and how far it is."""
    for member in members_of(plan):
        progress = progress_of(member.run)
        updates = f"{progress.update:,} updates" if progress is not None else "not begun"
        state = "done" if is_done(member) else "trained" if is_finished(member.run) else updates
        typer.echo(f"{member.run}: {state}")


def work(plan: Plan, jobs: int | None, threads: int) -> None:
    """Trains and measures what is not done yet; prints and writes the result."""
    slots = choose_slots([trial.config for trial in plan.trials], jobs, threads)
    _note(
        f"{plan.folder}: {len(plan.settings)} settings, {len(plan.seeds)} seeds, {len(plan.trials)} runs, "
        f"{len(slots)} side by side"
    )
    outcome = run_sweep(plan, slots, threads, _note)
    results = trial_results(plan, outcome)
    rows = sorted_rows(setting_rows(plan, results), results)
    typer.echo(format_rows(plan, rows, width_of(sys.stdout)))
    for path in write_outputs(plan, rows, results):
        _note(f"wrote {path}")
    require_all(outcome.failed, plan.folder / LOGS)


def _note(text: str) -> None:
    typer.echo(text, err=True)
