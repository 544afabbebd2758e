from benchmarks.faults import inputs


def test_damaged_inputs_are_read_or_refused_and_equal_seeds_do_the_same():
    outcomes, faults = inputs.run(trials=120, seed=7)
    assert faults == []
    assert outcomes.total() == 120 and {name.partition(":")[0] for name in outcomes} == set(inputs.SOUND)
    assert inputs.run(trials=120, seed=7) == (outcomes, faults)
