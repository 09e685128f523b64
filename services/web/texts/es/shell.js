// Lo que está en todas las pantallas.
export const shell = {
  title: "Alfabeto manual de la ASL",
  brand: "ASL",
  menu: "Pantallas",
  skip: "Ir al contenido",
  close: "Cerrar",
  copy: "Copiar",
  copied: "Copiado",
  save: "Guardar",
  now: "ahora mismo",
  theme: { label: "Cambiar entre claro y oscuro", light: "Claro", dark: "Oscuro" },
  screens: { live: "En vivo", practice: "Practicar", teach: "Enseñar", train: "Entrenar", evaluate: "Evaluar", models: "Modelos", jobs: "Tareas", system: "Sistema" },
  language: "Idioma de esta página",
  unreachable: ["El servicio no responde", "¿Sigue en marcha? Esta página lo busca."],
  loading: "Cargando …",
  reload: "Volver a cargar la página",
  code: { title: "Haz esto desde código", language: "Lenguaje", key: "Las llamadas también necesitan la clave: Client(…, api_key=\"…\"), o la cabecera Authorization: Bearer …" },
};
