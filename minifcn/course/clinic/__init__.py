"""The clinic of lesson 18: networks that train and are wrong, each by one planted line, and how one finds out.

procedure     how a network is trained and examined, part by part, and the chart that comes out
illnesses     sixteen parts that are wrong, with the signs by which each is told from the others
charts        the ten patients of the lesson, examined once and kept
pictures      a chart as a picture
"""
