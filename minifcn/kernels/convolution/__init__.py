"""The ladder: one convolution computed in several ways, from seven loops up.

Read `loops` first: it is the definition. Then `taps`, `im2col`, `strips`, `winograd`, each faster than the one before and held
to it by the tests. For special shapes there are `one_by_one`; `dilated` and `inside`, for dilated kernels; `zero_insertion` and
`phases`, for dx of convolutions with a stride. `channelwise` is for special weights. They share `windows` and `cuts`;
`costs` says what 3x3 convolutions of stride 1 take.
"""
