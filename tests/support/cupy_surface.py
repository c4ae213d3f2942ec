"""What NumPy has and CuPy 14.2 has not: generated from the two, held to the installed CuPy by test_strict_cupy.py."""

from __future__ import annotations


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


MISSING = {
    "numpy": _names(
        """
        False_ ScalarType True_ asmatrix block bmat busday_count busday_offset busdaycalendar bytes_ character
        clongdouble complex256 datetime64 datetime_as_string datetime_data einsum_path errstate flexible
        float128 frompyfunc fromregex geomspace get_include getbufsize geterr geterrcall histogram_bin_edges
        info insert is_busday isnat little_endian longdouble matrix matvec memmap nanpercentile nanquantile
        ndenumerate nditer nested_iters object_ polyder polydiv polyint recarray record sctypeDict setbufsize
        seterr seterrcall show_runtime spacing str_ test timedelta64 typecodes unstack vecdot vecmat void
        """
    ),
    "linalg": _names(
        """
        diagonal matrix_norm multi_dot outer svdvals tensordot test trace vecdot vector_norm
        """
    ),
    "random": _names(
        """
        MT19937 PCG64 PCG64DXSM Philox SFC64 SeedSequence get_bit_generator get_state set_bit_generator
        set_state test
        """
    ),
    "ndarray": _names(
        """
        ctypes getfield resize setfield setflags to_device
        """
    ),
    "Generator": _names(
        """
        bit_generator bytes choice gumbel laplace logistic lognormal multinomial multivariate_hypergeometric
        multivariate_normal negative_binomial noncentral_chisquare noncentral_f normal pareto permutation
        permuted rayleigh shuffle spawn standard_cauchy standard_t triangular vonmises wald weibull zipf
        """
    ),
}

# function: keywords of NumPy's that CuPy's refuses
MISSING_KEYWORDS = {
    "all": {"where"},
    "amax": {"initial", "where"},
    "amin": {"initial", "where"},
    "any": {"where"},
    "arange": {"device", "like", "start_or_stop"},
    "argpartition": {"kind", "order"},
    "argsort": {"order", "stable"},
    "array": {"like", "ndmax", "object"},
    "array_str": {"a"},
    "asanyarray": {"device", "like"},
    "asarray": {"device", "like"},
    "ascontiguousarray": {"like"},
    "asfortranarray": {"like"},
    "astype": {"device"},
    "broadcast_arrays": {"subok"},
    "broadcast_to": {"subok"},
    "clip": {"max", "min"},
    "concat": {"arrays"},
    "concatenate": {"arrays"},
    "copy": {"subok"},
    "corrcoef": {"x"},
    "count_nonzero": {"keepdims"},
    "cov": {"m"},
    "delete": {"obj"},
    "ediff1d": {"ary"},
    "einsum": {"out", "order", "casting"},
    "empty": {"device", "like"},
    "empty_like": {"device"},
    "extract": {"arr"},
    "eye": {"device", "like"},
    "flip": {"m"},
    "fliplr": {"m"},
    "flipud": {"m"},
    "full": {"device", "like"},
    "full_like": {"device"},
    "histogram": {"a"},
    "identity": {"like"},
    "indices": {"sparse"},
    "intersect1d": {"ar1", "ar2"},
    "isin": {"kind"},
    "lexsort": {"axis"},
    "linspace": {"device"},
    "load": {"encoding", "fix_imports", "max_header_size"},
    "max": {"initial", "where"},
    "mean": {"where"},
    "min": {"initial", "where"},
    "nanmax": {"initial", "where"},
    "nanmean": {"where"},
    "nanmin": {"initial", "where"},
    "nanprod": {"initial", "where"},
    "nanstd": {"correction", "mean", "where"},
    "nansum": {"initial", "where"},
    "nanvar": {"correction", "mean", "where"},
    "ones": {"device", "like"},
    "ones_like": {"device"},
    "partition": {"kind", "order"},
    "percentile": {"weights"},
    "prod": {"initial", "where"},
    "quantile": {"weights"},
    "require": {"like"},
    "reshape": {"shape"},
    "rot90": {"m"},
    "show_config": {"mode"},
    "sort": {"order", "stable"},
    "stack": {"arrays"},
    "std": {"correction", "mean", "where"},
    "sum": {"initial", "where"},
    "take": {"mode"},
    "take_along_axis": {"arr"},
    "tri": {"like"},
    "trim_zeros": {"axis"},
    "union1d": {"ar1", "ar2"},
    "unique": {"sorted"},
    "unpackbits": {"count"},
    "unravel_index": {"shape"},
    "var": {"correction", "mean", "where"},
    "zeros": {"device", "like"},
    "zeros_like": {"device"},
}
