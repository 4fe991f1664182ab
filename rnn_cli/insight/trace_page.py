"""A trace as one page of HTML: the sentence, what the network did at each step, and what its answer came from."""

from rnn_cli.insight.html import Html, bar, element, page, table
from rnn_cli.insight.trace import Trace

EQUATIONS = {
    "elman": "h_t = f(W · [h_{t-1}, x_t] + b).",
    "gru": "h_t = z ⊙ h_{t-1} + (1 - z) ⊙ n, where n = tanh(r ⊙ (W_nh · h_{t-1}) + W_nx · x_t + b_n) is new and the "
    "gates r and z are made of h_{t-1} and x_t.",
    "lstm": "s_t = f ⊙ s_{t-1} + i ⊙ g and h_t = o ⊙ tanh(s_t), where g is what may be let in and the gates i, f "
    "and o are made of h_{t-1} and x_t. Here h stands for h and s together; a unit of s is written s12+.",
    "mogrifier": "s_t = f ⊙ s_{t-1} + i ⊙ g and h_t = o ⊙ tanh(s_t) as in an LSTM, where g, i, f and o are made of "
    "h_{t-1} and x_t after these have scaled each other five times in turn, x ← 2σ(M · h) ⊙ x and h ← 2σ(M · x) ⊙ h. "
    "Here h stands for h and s together; a unit of s is written s12+.",
    "indrnn": "h_t = f(W · x_t + u ⊙ h_{t-1} + b), each unit by itself.",
}
READING = (
    "Forward. At each step the network reads a word x and makes its new state h from the old one and x: "
    "{equation} From h it predicts the next word: y_t = g(V · h_t + c). The error is -log2 of "
    "the probability that it gave to the word that came: 1 bit for one half, 2 bits for a quarter."
)
BACKWARD = (
    "Backward. The gradient ∂Loss_T/∂h_t is how much the loss at the last step would change with the state at step "
    "t. Where it is small, little can be learnt from what stood there. A word's evidence is what the odds of the "
    "answer against the next best words lose, as a power of two, when the sentence is read without it; gradient "
    "times input is its estimate from the gradient alone."
)


def trace_page(trace: Trace) -> str:
    """The page, whole."""
    return page(
        f"rnn trace: {trace.text}",
        [
            element("h1", "What the network did with this sentence"),
            element("p", element("bdi", trace.text)),
            element("p", " ".join(trace.verdict()), class_="verdict"),
            element("h2", "Reading, word by word"),
            element("p", READING.format(equation=EQUATIONS[trace.cell])),
            _reading(trace),
            element("h2", f"Where “{trace.answer}” came from"),
            element("p", BACKWARD),
            _backward(trace),
            element("p", "The next best words: ", ", ".join(trace.rivals), "."),
        ],
    )


def _reading(trace: Trace) -> Html:
    longest = max((step.error_bits or 0 for step in trace.steps), default=0) or 1
    columns = [
        ("word read", "left"), ("size of h", "right"), ("change of h", "right"), ("units that moved most", "left"),
        ("best predictions", "left"), ("word that came", "left"), ("error, bits", "right"), ("", "left"),
    ]  # fmt: skip
    rows = [
        [
            step.token,
            f"{step.norm:.2f}",
            f"{step.change:.2f}",
            ", ".join(str(unit) for unit in step.units),
            ", ".join(f"{best.token} {best.probability:.1%}" for best in step.predictions),
            step.came or "",
            "" if step.error_bits is None else f"{step.error_bits:.2f}",
            "" if step.error_bits is None else bar(step.error_bits / longest),
        ]
        for step in trace.steps
    ]
    return table("Each row is a step; the predictions are for the word that comes after it.", columns, rows)


def _backward(trace: Trace) -> Html:
    largest = max(step.gradient_norm for step in trace.steps) or 1
    most = max(abs(step.evidence_bits) for step in trace.steps) or 1
    columns = [
        ("word read", "left"), ("steps back", "right"), ("size of ∂Loss_T/∂h_t", "right"), ("", "left"),
        (f"P({trace.answer}) without the word", "right"), ("evidence, bits", "right"), ("", "left"),
        ("gradient × input, bits", "right"),
    ]  # fmt: skip
    rows = [
        [
            step.token,
            str(len(trace.steps) - 1 - t),
            f"{step.gradient_norm:#.3g}",
            bar(step.gradient_norm / largest),
            f"{step.probability_without:.1%}",
            f"{step.evidence_bits:+z.1f}",
            bar(abs(step.evidence_bits) / most, against=step.evidence_bits < 0),
            f"{step.gradient_times_input_bits:+z.1f}",
        ]
        for t, step in enumerate(trace.steps)
    ]
    decisive = trace.decisive
    marked = None if decisive is None else trace.steps.index(decisive)
    return table("What speaks for the answer (+) and against it (-)", columns, rows, marked=marked)
