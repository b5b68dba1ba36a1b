/** Every word of the page, in English and Simplified Chinese. `{name}` in a text is filled in. */

import { language } from "./preferences.js";

const TEXTS = {
  title: ["Hutong chat", "胡同聊天"],
  welcome: ["Good to see you again", "欢迎回来"],
  welcomeLead: ["Sign in to go on with your conversations.", "登录后继续您的对话。"],
  join: ["Make an account", "创建账号"],
  joinLead: ["A name, a mail address, a password.", "只需用户名、邮箱和密码。"],
  username: ["Username", "用户名"],
  usernameOrMail: ["Username or mail address", "用户名或邮箱"],
  email: ["Mail address", "邮箱"],
  password: ["Password", "密码"],
  passwordHint: ["8 characters or more, and none that many people use", "至少 8 个字符，且不是常见密码"],
  signIn: ["Sign in", "登录"],
  register: ["Create account", "注册"],
  noAccount: ["No account yet?", "还没有账号？"],
  hasAccount: ["Have an account?", "已有账号？"],
  signOut: ["Sign out", "退出登录"],
  signedOut: ["Your session is over. Sign in again.", "登录已失效，请重新登录。"],

  newChat: ["New conversation", "新对话"],
  search: ["Search", "搜索"],
  searchLabel: ["Search conversations", "搜索对话"],
  conversations: ["Conversations", "对话列表"],
  archivedOnes: ["Archived", "已归档"],
  showArchived: ["Archived conversations", "已归档的对话"],
  back: ["Back", "返回"],
  today: ["Today", "今天"],
  yesterday: ["Yesterday", "昨天"],
  week: ["Last seven days", "最近七天"],
  older: ["Older", "更早"],
  noneYet: ["Your conversations will be listed here.", "您的对话会显示在这里。"],
  noneFound: ["Nothing was found for “{text}”.", "没有找到“{text}”。"],
  noneArchived: ["Nothing is archived.", "没有已归档的对话。"],
  moreOnes: ["Show more", "显示更多"],
  untitled: ["New conversation", "新对话"],
  optionsOf: ["Options of “{title}”", "“{title}”的操作"],
  options: ["Options", "更多操作"],
  rename: ["Rename", "重命名"],
  archive: ["Archive", "归档"],
  unarchive: ["Put back", "取消归档"],
  exportMarkdown: ["Export as Markdown", "导出为 Markdown"],
  exportJson: ["Export as JSON", "导出为 JSON"],
  importOnes: ["Import conversations", "导入对话"],
  imported: ["New: {created}. Here already: {skipped}.", "新导入 {created} 个，已存在 {skipped} 个。"],
  remove: ["Delete", "删除"],
  removeAsk: ["Delete this conversation?", "删除此对话？"],
  removeLead: ["“{title}” and all its messages will be gone for good.", "“{title}”及其全部消息将被永久删除。"],
  archivedDone: ["Archived.", "已归档。"],
  unarchivedDone: ["Back in the list.", "已移回列表。"],
  cancel: ["Cancel", "取消"],
  close: ["Close", "关闭"],
  save: ["Save", "保存"],
  done: ["Done", "完成"],
  openList: ["Open the list", "打开列表"],
  closeList: ["Close the list", "关闭列表"],

  hello: ["What is on your mind?", "今天想聊点什么？"],
  helloLead: ["Ask anything. Replies go on even if you close this page.", "有问题尽管问。关闭页面后，回复也会继续生成。"],
  ideas: [
    ["Explain how a stream survives a lost connection", "Write a SQL query that finds duplicate rows", "Plan a quiet weekend in Beijing's hutongs", "Compare lists and tuples in a table"],
    ["解释断线后如何继续接收回复", "写一条查找重复行的 SQL", "规划一个安静的胡同周末", "用表格比较列表和元组"],
  ],
  ask: ["Ask something", "输入您的问题"],
  askHint: ["Enter sends, Shift+Enter makes a new line, Esc stops", "Enter 发送，Shift+Enter 换行，Esc 停止"],
  send: ["Send", "发送"],
  stop: ["Stop", "停止"],
  newest: ["To the newest message", "回到最新消息"],
  copy: ["Copy", "复制"],
  code: ["Code", "代码"],
  table: ["Table", "表格"],
  task: ["Task", "任务"],
  edit: ["Edit", "编辑"],
  again: ["Answer again", "重新回答"],
  sendEdit: ["Send", "发送"],
  which: ["Version {at} of {of}", "第 {at} 个版本，共 {of} 个"],
  before: ["Version before", "上一个版本"],
  after: ["Next version", "下一个版本"],
  you: ["You", "您"],
  assistant: ["Assistant", "助手"],
  tokens: ["{count} tokens", "共 {count} tokens"],
  writing: ["The reply is being written", "正在生成回复"],
  written: ["The reply is complete", "回复完成"],
  stopped: ["Stopped here.", "已停止。"],
  interrupted: ["The reply was cut off here. What had been written is kept.", "回复在此中断，已生成的内容已保存。"],
  failed: ["There is no reply: {reason}", "未能生成回复：{reason}"],
  cutLength: ["The reply reached its greatest length.", "回复已达到最大长度。"],
  filtered: ["The provider held back the rest of the reply.", "服务商拦截了其余内容。"],
  noReason: ["the model could not be reached", "模型暂时无法访问"],
  tryAgain: ["Try again", "重试"],
  loadFailed: ["This conversation could not be loaded.", "无法加载此对话。"],
  listFailed: ["The list could not be loaded.", "无法加载列表。"],

  model: ["Model", "模型"],
  chooseModel: ["Choose a model", "选择模型"],
  window: ["{count} tokens of context", "上下文 {count} tokens"],
  noModels: ["No model is set up", "尚未配置模型"],
  systemPrompt: ["System prompt", "系统提示词"],
  systemLead: ["What the model is told before the conversation begins.", "在对话开始前告诉模型的内容。"],
  systemBegun: ["What the model was told before this conversation began.", "此对话开始前告诉模型的内容。"],
  systemNone: ["Nothing of its own", "未设置"],
  systemHint: ["For example: Answer briefly, in British English.", "例如：用简洁的中文回答。"],

  account: ["Account", "账号"],
  quota: ["Quota", "用量"],
  quotaLead: ["Counted by the day and the month of UTC.", "按 UTC 的日和月计算。"],
  requestsToday: ["Requests today", "今日请求"],
  tokensToday: ["Tokens today", "今日 tokens"],
  requestsMonth: ["Requests this month", "本月请求"],
  tokensMonth: ["Tokens this month", "本月 tokens"],
  ofLimit: ["of {limit}", "共 {limit}"],
  noLimit: ["without a limit", "不限"],
  resets: ["Resets {when}", "{when}重置"],
  keys: ["API keys", "API 密钥"],
  keysLead: ["For the OpenAI SDKs: base URL {url}", "用于 OpenAI SDK：base URL 为 {url}"],
  keyName: ["Name of the key", "密钥名称"],
  makeKey: ["Make a key", "创建密钥"],
  keyOnce: ["Copy the key now: it is shown only this once.", "请立即复制：密钥只显示这一次。"],
  noKeys: ["No keys yet.", "还没有密钥。"],
  keyUsed: ["Last used {when}", "最近使用：{when}"],
  keyUnused: ["Never used", "从未使用"],
  revoke: ["Revoke “{name}”", "吊销“{name}”"],
  revokeAsk: ["Revoke this key? Programs that use it stop working at once.", "吊销此密钥？使用它的程序将立即失效。"],
  dark: ["Dark look", "深色外观"],
  light: ["Light look", "浅色外观"],
  otherLanguage: ["中文", "English"],

  offline: ["You are offline. What you see is what was last loaded.", "您已离线，显示的是上次加载的内容。"],
  reconnecting: ["The connection was lost. Trying again…", "连接已断开，正在重连…"],
  unreachable: ["The server cannot be reached. Try again in a moment.", "无法连接服务器，请稍后再试。"],
  unexpected: ["Something went wrong. Try again in a moment.", "出错了，请稍后再试。"],
  tooFast: ["Too many requests. Go on {when}.", "请求过于频繁，请{when}再试。"],
  exhausted: ["Your quota is used up ({which}). It resets {when}.", "您的额度已用完（{which}），{when}重置。"],
  daily_requests: ["requests of today", "今日请求"],
  monthly_requests: ["requests of this month", "本月请求"],
  daily_tokens: ["tokens of today", "今日 tokens"],
  monthly_tokens: ["tokens of this month", "本月 tokens"],
};

/** The text of this name in the reader's language. */
export function word(name, values = {}) {
  const text = TEXTS[name]?.[language() === "zh-CN" ? 1 : 0] ?? "";
  return typeof text === "string" ? text.replace(/\{(\w+)\}/g, (_, key) => values[key] ?? "") : text;
}

/** A number as the reader writes it. */
export function number(value) {
  return new Intl.NumberFormat(language()).format(value);
}

/** A large number in few characters. */
export function short(value) {
  return new Intl.NumberFormat(language(), { notation: "compact", maximumFractionDigits: 1 }).format(value);
}

/** A moment in words: how long until then or since, or the day. */
export function when(moment) {
  const then = new Date(moment), seconds = (then.getTime() - Date.now()) / 1000, far = Math.abs(seconds);
  const relative = new Intl.RelativeTimeFormat(language(), { numeric: "auto" }), chinese = language() === "zh-CN";
  if (far < 60) return relative.format(Math.round(seconds), "second");
  if (far < 3600) return relative.format(Math.round(seconds / 60), "minute");
  const clock = new Intl.DateTimeFormat(language(), { hour: "2-digit", minute: "2-digit" }).format(then);
  const days = Math.round((new Date(then).setHours(0, 0, 0, 0) - new Date().setHours(0, 0, 0, 0)) / 86_400_000);
  if (days === 0) return chinese ? clock : `at ${clock}`;
  if (Math.abs(days) === 1) return chinese ? relative.format(days, "day") + clock : `${relative.format(days, "day")} at ${clock}`;
  const date = new Intl.DateTimeFormat(language(), { month: "long", day: "numeric" }).format(then);
  return chinese || seconds < 0 ? date : `on ${date}`;
}
