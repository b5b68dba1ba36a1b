"""The sandbox's words in English and Chinese, and the code that it can write."""

from collections.abc import Mapping

ENGLISH: Mapping[str, str] = {
    "hello": "Hello! I am **Hutong's OpenAI sandbox**: no model, but I answer the same to the same question, for free and "
    "without the internet.\n\nYou can try me with:\n\n- a sum, as in `17 * 23`\n- code, as in *write a Python function "
    "that reverses a list*\n- a title, JSON, a tool or a picture\n",
    "sum": "That makes **{sum} = {result}**.",
    "code": "Here is a small {language} example for *{topic}*:",
    "code_after": "It is a sketch to start from; change the names to yours.",
    "about": "You asked about **{topic}**. Here is how one could go about it:",
    "step_1": "**First things first**: say what {topic} is for, and for whom.",
    "step_2": "**Small steps**: take the part of {topic} that can be tried today.",
    "step_3": "**Look and mend**: write down what you saw, and change one thing at a time.",
    "earlier": "Before that we talked about *{topic}*.",
    "picture": "I was shown {count} picture(s): {names}. I cannot see, so I only count them.",
    "tool": "The tool answered:",
    "system": "I was told beforehand: *{text}*",
    "more": "{number}. About {topic}: this paragraph is here because a long answer was wanted, and it says so once more.",
    "choice": "(This is answer {number}.)",
    "signed": "*Written by Hutong's sandbox; no model was asked.*",
    "untitled": "A conversation",
}

CHINESE: Mapping[str, str] = {
    "hello": "你好！我是 **Hutong 的 OpenAI 沙箱**：不是真正的模型，但同样的问题总有同样的回答，不花钱，也不需要联网。\n\n"
    "你可以试试：\n\n- 一道算术题，例如 `17 * 23`\n- 一段代码，例如“用 Python 写一个反转列表的函数”\n- 标题、JSON、工具调用或图片\n",
    "sum": "计算结果：**{sum} = {result}**。",
    "code": "下面是关于“{topic}”的一个 {language} 小例子：",
    "code_after": "这只是一个起点，请把名称换成你自己的。",
    "about": "你问的是 **{topic}**。可以这样着手：",
    "step_1": "**先明确目的**：{topic}是为了什么，给谁用。",
    "step_2": "**小步前进**：先做{topic}中今天就能试的部分。",
    "step_3": "**观察并改进**：记下看到的结果，一次只改一处。",
    "earlier": "在这之前我们谈的是“{topic}”。",
    "picture": "收到 {count} 张图片：{names}。我看不见内容，只能数一数。",
    "tool": "工具返回：",
    "system": "事先得到的指示：*{text}*",
    "more": "{number}. 关于{topic}：你要求较长的回答，所以这里再写一段。",
    "choice": "（这是第 {number} 个回答。）",
    "signed": "*由 Hutong 沙箱生成，没有调用任何模型。*",
    "untitled": "新对话",
}

PHRASES: Mapping[str, Mapping[str, str]] = {"en": ENGLISH, "zh": CHINESE}

CODE: Mapping[str, tuple[str, str]] = {
    "python": (
        "Python",
        (
            'def {name}(items: list[str]) -> list[str]:\n    """{topic}"""\n    return {body}\n\n\n'
            'print({name}(["hutong ", "sandbox"]))\n'
        ),
    ),
    "javascript": (
        "JavaScript",
        (
            "// {topic}\nexport const {name} = (items) => items.map((item) => item.trim()).filter(Boolean);\n\n"
            'console.log({name}(["hutong ", "sandbox"]));\n'
        ),
    ),
    "sql": (
        "SQL",
        "-- {topic}\nSELECT name, COUNT(*) AS times\nFROM {name}\nGROUP BY name\nORDER BY times DESC\nLIMIT 10;\n",
    ),
    "bash": (
        "Bash",
        '#!/usr/bin/env bash\n# {topic}\nset -euo pipefail\nfor item in "$@"; do\n  echo "{name}: $item"\ndone\n',
    ),
    "go": (
        "Go",
        (
            'package main\n\nimport "fmt"\n\n// {name}: {topic}\nfunc {name}(items []string) int {{\n\treturn len(items)\n}}\n\n'
            'func main() {{\n\tfmt.Println({name}([]string{{"hutong", "sandbox"}}))\n}}\n'
        ),
    ),
    "rust": (
        "Rust",
        (
            "/// {topic}\nfn {name}(items: &[&str]) -> usize {{\n    items.len()\n}}\n\n"
            'fn main() {{\n    println!("{{}}", {name}(&["hutong", "sandbox"]));\n}}\n'
        ),
    ),
}

BODIES: Mapping[str, str] = {
    "revers|反转|倒序": "items[::-1]",
    "sort|order|排序": "sorted(items)",
    "uni(que|q)|duplicat|去重": "list(dict.fromkeys(items))",
    "longest|最长": "[max(items, key=len)]",
    "filter|empty|过滤": "[item for item in items if item.strip()]",
}
"""What a Python function does, by a word that says so."""
OTHER_BODY = "[item.strip() for item in items if item]"
