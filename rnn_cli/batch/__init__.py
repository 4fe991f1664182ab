"""Many trainings from one file: each in a process of its own, the figures of all in one table.

    plan = load_plan(Path("study.yaml"))
    with Study.open(Path("runs/study"), plan) as study:
        run_study(study, jobs=2, stop=stop, on_event=print)
        results = gather(plan, study)

plan        the file, checked: every problem at once; overlaps: what it says twice
choices     what a key may take: a list of values, or a range to draw from
expansion   configs x grid x draws x seeds -> trainings with a name and a resolved config
names       what a run is called
study       the folder: what is done, half done, changed; the record of each run
launcher    where a command of `rnn` runs: on this machine (here), or on one of a cluster (cluster, remote)
machines    how many runs at once, and with how many threads
scheduler   so many of them side by side, until all are done or the user stops them
space       what a search may choose from, and its settings
search      its trials, which several processes share; journal: optuna; sittings: its time; searching: its jobs
progress    how far a training is, read from its metrics
results     figures of the runs, mean and spread over seeds; search_results: trials, the best first
listing     what lies in a folder of runs
"""
