"""The course: lessons that run as scripts, pages that are made from them, exercises with a checker that explains.

    catalogue   which lessons there are, and where
    script      percent format -> cells
    runner      runs cells, keeps what they print and show
    page        Markdown page and pictures of a lesson;   stale: do they still match?
    exercises   what readers are asked, and the mistakes people make
    process     runs a reader's file (source) in a process of its own (answer), whatever the file does
    judge       says what is wrong with its results: explain tries suspects (other_arguments, other_results), then describes
    quiz        questions made of the exercises;   progress, grades: of a reader, of a class

To add a lesson: write lessons/NN_name.py, add its exercises as exercises/lesson_NN.py, run `minifcn lesson render NN`.
"""
