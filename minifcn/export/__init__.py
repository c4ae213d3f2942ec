"""A network as a file that runs elsewhere: ONNX, which phones, browsers, servers and onnxruntime read.

    import minifcn
    net = minifcn.models.build("fcn8s", num_classes=21)
    minifcn.export.onnx(net, "net.onnx")                      # or: minifcn export runs/voc --out net.onnx

    import onnxruntime
    session = onnxruntime.InferenceSession("net.onnx")
    scores, = session.run(["scores"], {"image": image})       # (N, 3, H, W) float32 -> (N, 21, H, W) float32

*How it is made.* An ONNX file is a list of nodes, each an operation of a fixed set (Conv, Relu, Slice ...) with the names of
the tensors that go in and come out, and the weights. Nobody writes that list: the network runs once, on a picture without
numbers (:mod:`minifcn.anatomy.trace`), and every layer that worked writes its nodes down, in the order in which they worked.
What a layer writes is its *form* (:mod:`minifcn.export.forms`): a short function for each kind of layer, in one table.

*Any size.* Nearly all layers do not care how large the picture is. Those that do are called with sizes: ``crop(scores,
x.shape[2:])`` cuts to the picture's. In the trace such a size remembers that it was read from the shape of x
(:mod:`minifcn.layers.lengths`), so the file holds a node that asks x for its shape, where a plain trace would hold the number
375. That is what the network does, for every picture; a line laid through the numbers of two or three sizes would be a guess.
The network is followed at three sizes all the same, or at 35 where it compares sizes of feature maps, and refused where it does
not do the same each time: it computes a size in a way that nobody can follow, or goes another way for some pictures.

    followed           x.shape and + - * // % of it, layers.smaller(a, b)
    not followed       math.ceil(x.shape[2] / 2): write -(-x.shape[2] // 2)
                       min(a, b): write smaller(a, b);  if up.shape != skip.shape: pad or crop them always
    not even noticed   if x.shape[2] > 500, of the picture itself: what happens to larger ones only is not in the file

Batch, height and width are then open. With ``size`` the height and width are fixed, and everything that can be traced can be
written.

*Evaluation.* Dropout is gone and batch norm uses its running statistics, whatever mode the network is in, which is left alone.
The first output is ``scores``, float32, also of a float64 network.

*Pictures in, labels out.* The input is what the network was trained on, colours minus their mean; who uses the file prepares
pictures so, and the metadata say how. With ``pictures=True`` (``--pictures``) the file does it: its input is ``pictures``,
(N, H, W, 3) uint8 RGB, and its second output ``labels``, (N, H, W) uint8, the class of each pixel.

*Metadata*, each a JSON text: ``classes``, their names; ``preprocessing``; ``model``, what built the network.

    {prop.key: json.loads(prop.value) for prop in onnx.load("net.onnx").metadata_props}

*A layer of one's own* that is made of layers needs nothing. One that computes by itself needs a form:

    @minifcn.export.form(Swish)
    def swish(graph, layer, x):
        return graph.node("Mul", x, graph.node("Sigmoid", x))

Source: the ONNX specification, https://onnx.ai/onnx/operators. Opset 22 is written: the first in which a pooling that rounds up
has the size that PyTorch and we give it, also where shapes are inferred. onnxruntime reads it from 1.21 on.
"""

from minifcn.export.forms import form
from minifcn.export.model import onnx

__all__ = ["form", "onnx"]
