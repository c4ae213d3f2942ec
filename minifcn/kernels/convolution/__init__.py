"""The ladder: one convolution computed in several ways, from seven loops up.

Read `loops` first: it is the definition. Then `taps`, `im2col`, `strips`, `winograd`, each faster than the one before and held
to it by the tests; `one_by_one`, `zero_insertion` and `phases` are for special shapes, `channelwise` for special
weights. `costs` says what each of them takes.
"""
