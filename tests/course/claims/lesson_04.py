"""Lesson 04: for each claim a change of the script that makes it false, (claim, text, replacement)."""

from __future__ import annotations

CLAIMS = [
    (
        "backward has the picture's size",
        "counted, _, _ = F.conv2d_backward(seen, cache)",
        "counted = F.conv2d_backward(seen, cache)[1]",
    ),
    ("the first number of y", "weight = np.array([[2.0, -1], [1, 3]])", "weight = np.array([[2.0, -1], [3, 1]])"),
    ("dy is what the loss feels", "    return (y * dy).sum()", "    return (y * dy[::-1]).sum()"),
    ("four windows hold x[1, 1]", "if oh <= 1 <= oh + 1", "if oh <= 1 <= oh + 0"),
    ("dx[1, 1] is 8", "dy = np.array([[1.0, -2, 4], [3, 5, -1]])", "dy = np.array([[1.0, -2, 4], [3, 4, -1]])"),
    ("the list gives dx", "dx[h, w] += dy[oh, ow] * weight[kh, kw]", "dx[h, w] = dy[oh, ow] * weight[kh, kw]"),
    ("the list gives dweight", "dweight[kh, kw] += dy[oh, ow] * x[h, w]", "dweight[kw, kh] += dy[oh, ow] * x[h, w]"),
    ("the list gives y", "forward[oh, ow] += x[h, w] * weight[kh, kw]", "forward[oh, ow] += x[h, w] * weight[kw, kh]"),
    ("dbias is the sum", "dbias = dy.sum()", "dbias = dy.mean()"),
    (
        "the library agrees",
        "F.conv2d_backward(dy[None, None], cache)\nprint",
        "F.conv2d_backward(dy[None, None, ::-1], cache)\nprint",
    ),
    ("dx is a convolution, turned", "convolve(padded_dy, weight[::-1, ::-1]", "convolve(padded_dy, weight[::-1]"),
    ("dweight is a convolution", "as_correlation = convolve(x, dy,", "as_correlation = convolve(x, dy[::-1, ::-1],"),
    ("dweight adds up over pictures", "picture_by_picture += F", "picture_by_picture = F"),
    ("dx adds up over filters", "filter_by_filter += F", "filter_by_filter = F"),
    (
        "rung 1",
        "around = np.pad(dy, ((KH - 1, KH - 1), (KW - 1, KW - 1)))",
        "around = np.pad(dy, ((KH - 1, KH - 1), (KW, KW - 2)))",
    ),
    ("rung 2", "padded_dx = full(dy2, kernel)", "padded_dx = full(dy2, kernel)[::-1]"),
    ("rung 3", "apart[::S, ::S] = dy3", "apart[::S, ::S] = dy3[::-1]"),
    ("rung 4", "((0, left_over), (0, (9 - 2) % S))", "((left_over, 0), (0, (9 - 2) % S))"),
    (
        "a chessboard of 1, 2, 4",
        "_, cache = F.conv2d(np.zeros((1, 1, 7, 9)), ones3, stride=2)",
        "_, cache = F.conv2d(np.zeros((1, 1, 5, 6)), ones3, stride=1)",
    ),
    ("a column is a window", "columns = im2col(x[None], geometry)[0]", "columns = im2col(x[None, ::-1], geometry)[0]"),
    ("drow", "drow = dproduct @ columns.T", "drow = dproduct[:, ::-1] @ columns.T"),
    ("dcolumns", "dcolumns = row.T @ dproduct", "dcolumns = row[:, ::-1].T @ dproduct"),
    (
        "a square hides the missing .T",
        "forgotten = dy_square @ columns_of_square",
        "forgotten = dy_square @ columns_of_square[::-1]",
    ),
    ("3 by 4 shows it", "    dproduct @ columns  # the same", "    dproduct @ columns.T  # the same"),
    ("fitting shapes prove nothing", "row_of_dy = dy_square.T @ row", "row_of_dy = row.T @ dy_square"),
    ("col2im counts windows", "there_and_back = col2im(im2col(ones, geometry5), geometry5)[0]", "there_and_back = ones[0]"),
    (
        "col2im is im2col's adjoint",
        "right = (picture * col2im(matrix, geometry5)).sum()",
        "right = (picture * col2im(matrix, geometry5)).mean()",
    ),
    (
        "a layer adds its gradients",
        "layer(x[None, None])\n    dx_layer",
        "layer.zero_grad(), layer(x[None, None])\n    dx_layer",
    ),
    (
        "gradcheck passes",
        "stride=2, padding=1)\nprint(report)",
        "stride=2, padding=1, backward=lambda dy, cache: F.conv2d_backward(dy[:, :, ::-1], cache))\nprint(report)",
    ),
    ("ones are blind", '(("ones", np.ones(out.shape))', '(("ones", rng.normal(size=out.shape))'),
    ("random sees", "return F.conv2d_backward(dy[:, :, ::-1, ::-1], cache)", "return F.conv2d_backward(dy, cache)"),
    ("dx does not depend on x", "F.conv2d_backward(dout, cache_other)", "F.conv2d_backward(-dout, cache_other)"),
]
