/** What went wrong, in the reader's words. */

import { language } from "./preferences.js";
import { when, word } from "./words.js";

const CHINESE = {
  "auth.credentials_wrong": "用户名或密码不正确。",
  "chat.username_taken": "该用户名已被使用，请换一个。",
  "chat.username_invalid": "用户名为 3 至 50 个字母、数字、点、连字符或下划线，以字母或数字开头。",
  "chat.reply_running": "此对话正在生成回复，请等待或先停止。",
  "chat.too_many_replies": "同时生成的回复过多，请等待其中一个完成。",
  "chat.message_too_long": "消息过长。",
  "chat.conversation_unknown": "没有此对话。",
  "chat.message_unknown": "没有此消息。",
  "chat.conversations_full": "对话数量已达上限，请先删除一些。",
  "chat.reply_interrupted": "回复中断，已生成的内容已保存。",
  "chat.reply_failed": "模型没有回复；您的消息已保存，请重试。",
  "chat.leaving": "服务器正在重启，请重试。",
};

/** One sentence for a failure. */
export function sentence(failure) {
  if (failure.code === "signed_out") return word("signedOut");
  if (failure.status === 0 || failure.code === "unreachable") return word("unreachable");
  if (failure.status === 429 || failure.resetsAt) return tooMuch(failure);
  return told(failure) || word("unexpected");
}

/** What ended a reply: an error as the stream tells it, or the code that its row has. */
export function reasonOf(message) {
  const error = message.failure ?? (message.error ? { code: message.error } : null);
  if (error?.details?.resets_at) return tooMuch({ ...error, resetsAt: new Date(error.details.resets_at) });
  return (error && told(error)) || word("noReason");
}

function told({ code, message, details }) {
  const field = details?.fields?.[0]?.message ?? details?.errors?.[0]?.message;
  const translated = language() === "zh-CN" ? CHINESE[code] : null;
  return translated || (field && field !== message ? `${message} ${field}` : message) || "";
}

function tooMuch({ code, message, details, resetsAt }) {
  const which = details?.counter ?? details?.which, moment = resetsAt ? when(resetsAt) : "";
  if (which && word(which)) return word("exhausted", { which: word(which), when: moment });
  if (code?.startsWith("chat.")) return told({ code, message, details });
  return moment ? word("tooFast", { when: moment }) : message || word("unexpected");
}
